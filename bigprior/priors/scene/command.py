"""The commands `python -m bigprior.train scene`, `scene-weights` and `scene-samples`, once their line has been read."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

import safetensors.torch

from bigprior.model_card import CARD, write_card
from bigprior.priors.scene.network import CLASSES
from bigprior.priors.scene.photographs import SHARES, read_photographs
from bigprior.priors.scene.prior import WEIGHTS as SHIPPED
from bigprior.priors.scene.prior import load_scene
from bigprior.priors.scene.released import read_parts
from bigprior.priors.scene.samples import COLUMNS, PER_CLASS, RECOGNISED, SHEET, draw, measure, sheet
from bigprior.priors.scene.training import Denoising
from bigprior.schedule import within
from bigprior.training import WEIGHTS, Recipe, train
from datasets.errors import SuiteError
from datasets.files import write_atomically

FIGURES = "scene-prior-samples.json"


def train_scene(options: argparse.Namespace, command: str) -> int:
    """Train the scene prior and write weights and card.

    Args:
        command: that gives the same weights.
    """
    if options.batch < 1 or options.size < 8 or options.size % 8:
        raise SuiteError("--batch must be 1 or more, and --size a multiple of 8.")
    problem = Denoising(read_photographs(options.sets or list(SHARES)), side=options.size)
    recipe = Recipe(
        steps=options.steps, batch=options.batch, size=options.size, rate=options.rate, ema=options.ema,
        seed=options.seed, validate=options.validate, warm_up=min(300, options.steps // 5),
    )  # fmt: skip
    if options.seconds is not None:
        recipe = within(options.seconds, problem, recipe, options.out, options.device, options.resume)
        print(f"{options.seconds:g} seconds: {recipe.steps} steps", flush=True)
    train(problem, recipe, options.out, options.device, options.resume, lambda line: print(line, flush=True))
    write_card(options.out, problem, recipe, [each.name for each in problem.photographs], command)
    print(f"weights: {options.out / WEIGHTS}, and their card: {options.out / CARD}")
    return 0


def gather_weights(options: argparse.Namespace, command: str) -> int:
    """Write the weights in the parts of a checkpoint of the script as one file, under the names of the house."""
    write_atomically(options.out, safetensors.torch.save(read_parts(options.parts)))
    print(f"weights: {options.out}")
    return 0


def draw_sheet(options: argparse.Namespace, command: str) -> int:
    """Write the sheet of draws and what was measured of them."""
    missing = {name for name, (kind, _) in SHARES.items() if kind in RECOGNISED} - set(options.sets or SHARES)
    if missing:
        raise SuiteError(f"draws are compared with held-out photographs: add {', '.join(sorted(missing))} to --set.")
    photographs = read_photographs(options.sets or list(SHARES))
    prior = load_scene(precision=options.precision, file=options.weights or SHIPPED)
    draws = {
        name: draw(prior, name, PER_CLASS if name in RECOGNISED else COLUMNS, options.draw_steps) for name in CLASSES
    }
    options.out.mkdir(parents=True, exist_ok=True)
    sheet(draws, photographs, options.out / SHEET)
    figures = measure(draws, photographs)
    write_atomically(options.out / FIGURES, (json.dumps(asdict(figures), indent=1) + "\n").encode())
    print(
        f"recognised {100 * figures.recognised:.1f} % of the draws ({100 * figures.real:.1f} % of photographs); "
        f"nearest training photograph at {figures.nearest:.2f} of the distance of held-out ones: {options.out / SHEET}"
    )
    return 0
