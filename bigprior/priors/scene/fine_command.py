"""The command `python -m bigprior.train fine`, once its line has been read."""

from __future__ import annotations

import argparse

from bigprior.model_card import CARD, write_card
from bigprior.priors.scene.fine_training import Refinement, drawn_again
from bigprior.priors.scene.prior import load_scene
from bigprior.training import WEIGHTS, Recipe, train
from datasets.training_images import TrainingImages

SETS = ("lsun-bedroom", "lsun-church", "lsun-conference")
NOISY = ("cbsd432",)
"""Sets that only noise is learned from, beside the others: their images are not all of 256×256 pixels."""


def train_fine(options: argparse.Namespace, command: str) -> int:
    """Draw coarse images again, train the fine network, and write weights and card.

    Args:
        command: that gives the same weights.
    """
    sets = tuple(options.sets or SETS)
    images = TrainingImages(sets)
    bank = drawn_again(load_scene(options.device, precision="bfloat16"), images, options.seed)
    problem = Refinement(images, TrainingImages((*NOISY, *sets)), bank)
    recipe = Recipe(
        steps=options.steps, batch=options.batch, size=options.size, rate=options.rate, ema=options.ema,
        seed=options.seed, validate=options.validate, warm_up=min(100, options.steps // 5),
    )  # fmt: skip
    train(problem, recipe, options.out, options.device, options.resume, lambda line: print(line, flush=True))
    write_card(options.out, problem, recipe, (*NOISY, *sets), command)
    print(f"weights: {options.out / WEIGHTS}, and their card: {options.out / CARD}")
    return 0
