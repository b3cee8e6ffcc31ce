"""The command `python -m bigprior.train`, once its line has been read: train, and write weights and cards."""

from __future__ import annotations

import argparse
import json
import platform
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bigprior.model_card import CARD, write_card
from bigprior.phi.implied import ImpliedPhi
from bigprior.phi.least_squares import LinearPhi, solve
from bigprior.phi.least_squares import to_bytes as linear_to_bytes
from bigprior.phi.network import PhiConfig, PhiNetwork, to_bytes
from bigprior.phi.train import (
    Cached,
    Files,
    ImageOf,
    Pair,
    PhiProblem,
    Source,
    evaluate,
    lifted,
    named_prior,
    read_pairs,
)
from bigprior.priors.compact.prior import CompactPrior
from bigprior.priors.compact.samples import LEGEND as SAMPLES_LEGEND
from bigprior.priors.compact.samples import SAMPLES, draw_samples
from bigprior.priors.compact.training import Conditions
from bigprior.priors.scene.command import draw_sheet, gather_weights, train_scene
from bigprior.priors.scene.fine_command import train_fine
from bigprior.train import IMPLIED, LEAST_SQUARES
from bigprior.training import LOG, WEIGHTS, Recipe, train
from datasets.catalog import TASKS
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.task import Task, get_task
from datasets.training_images import TRAINING_SETS, TrainingImages

NOWHERE = Source("", "", 0, 0)
"""The source of an image that a prior is asked about in passing."""
INPAINTING = ("inpaint-center", "inpaint-random")
SCENE = {"scene": train_scene, "fine": train_fine, "scene-weights": gather_weights, "scene-samples": draw_sheet}
"""Commands of the scene prior."""


@dataclass(frozen=True)
class Card:
    """The model card of a φ-network."""

    name: str
    task: str
    sets: tuple[str, ...]
    prior: str
    fidelity: str
    loss: str
    recipe: dict[str, Any]
    command: str
    seconds: float
    machine: str
    images: str
    parameters: int
    validation: dict[str, float]

    def markdown(self) -> str:
        """The card to read."""
        v = self.validation
        return f"""# {self.name}: φ for {self.task}

The share of the prior in every pixel, one channel, in [0,1].

| | |
| --- | --- |
| prior image g | {self.prior} |
| data-fidelity image f(y) | {self.fidelity} |
| data and split | {self.images} |
| loss | {self.loss} |
| parameters | {self.parameters} |
| command | `{self.command}` |
| time | {self.seconds:.0f} s on {self.machine} |

## Validation

Mean over the held-out images, clipped to [0,1]: PSNR of the fusion {v["psnr"]:.2f} dB, of f {v["psnr_fidelity"]:.2f}
dB, of g {v["psnr_prior"]:.2f} dB. Against the better of f and g of each image: {v["gain"]:+.2f} dB. Mean φ:
{v["phi_mean"]:.3f}. Recipe and numbers are in `{self.name}.json`.
"""


def carry_out(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Do what a command line asks for and return the exit status.

    Args:
        options: as read.
        given: the words of the command line.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.what in SCENE:
        return SCENE[options.what](options, _command(options, given))
    return train_prior(options, given) if options.what == "prior" else train_phi(options, given)


def train_prior(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Train the network of all conditional means."""
    problem = Conditions(TrainingImages(tuple(options.sets or TRAINING_SETS)), options.start)
    recipe = Recipe(
        steps=options.steps, batch=options.batch, size=options.size, rate=options.rate, seed=options.seed,
        validate=options.validate,
    )  # fmt: skip
    network = train(problem, recipe, options.out, options.device, options.resume, lambda line: print(line, flush=True))
    draw_samples(CompactPrior(network), problem.images, options.out / SAMPLES)
    command = _command(options, given)
    more = ["", "## Samples", "", *SAMPLES_LEGEND, "", f"![samples]({SAMPLES})"]
    write_card(options.out, problem, recipe, options.sets, command, more)
    print(f"weights: {options.out / WEIGHTS}, and their card: {options.out / CARD}")
    return 0


def train_phi(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Train a φ-network."""
    if options.loss == IMPLIED:
        return train_implied(options, given)
    if options.loss == LEAST_SQUARES and options.task != "colorize":
        raise SuiteError(f"--loss {LEAST_SQUARES} is for --task colorize: it looks at luma and chroma.")
    began = time.monotonic()
    tasks = settings(options.task, options.sigma)
    fidelity: ImageOf = Files(options.fidelity_images) if options.fidelity_images else lifted
    if options.fidelity:
        fidelity = named_prior(options.fidelity)
    pairs: tuple[list[Pair], list[Pair]] = ([], [])
    for task in tasks:
        prior = named_prior(options.prior) if options.prior else Files(options.prior_images)
        found = read_pairs(
            task,
            options.sets,
            Cached(prior, _cache(options, task)) if options.prior else prior,
            fidelity,
            options.draws,
            options.seed,
            options.held_out,
            options.unseen,
        )
        for part, more in zip(pairs, found, strict=True):
            part.extend(more)
    network: LinearPhi | PhiNetwork
    if options.loss == LEAST_SQUARES:
        fitted = time.monotonic()
        network = solve(pairs[0], options.ridge)
        recipe, seconds = {"ridge": options.ridge}, time.monotonic() - fitted
        weights = linear_to_bytes(network)
    else:
        name = tasks[0].name
        config = PhiConfig(name, tuple(options.widths), options.scale, hole_only=name in INPAINTING)
        problem, stated = PhiProblem(config, pairs, options.loss), _recipe(options)
        trained = train(problem, stated, options.out, options.device, options.resume, lambda s: print(s, flush=True))
        network = problem.at_work(trained)
        recipe, seconds = asdict(stated), float(pd.read_csv(options.out / LOG).seconds.iloc[-1])
        weights = to_bytes(network)
    threads = torch.get_num_threads()
    card = Card(
        name=options.name, task=", ".join(task.label for task in tasks), sets=tuple(options.sets), loss=options.loss,
        recipe=recipe,
        prior=options.prior_name or options.prior or options.prior_images,
        fidelity=options.fidelity_name or options.fidelity or options.fidelity_images or "the task's own lift of y",
        command=_command(options, given), seconds=seconds,
        machine=f"{threads} thread{'' if threads == 1 else 's'}, {platform.machine()}, torch {torch.__version__}",
        images=f"{', '.join(options.sets)}: training split, {len(pairs[0])} pairs to fit, the last "
               f"{options.held_out} images of each set ({len(pairs[1])}) to validate; no test image was read",
        parameters=sum(t.numel() for t in network.state_dict().values()),
        validation=evaluate(network, pairs[1]),
    )  # fmt: skip
    write(options.out, card, weights)
    print(f"{options.out / options.name}.safetensors, {time.monotonic() - began:.0f} s in all")
    return 0


def settings(text: str, sigma: str | None = None) -> list[Task]:
    """Return the settings of one task that a φ-network is to know: specs, separated by commas.

    Args:
        sigma: σ, of a task that has one.

    Raises:
        SuiteError: a spec is wrong, or they are of several tasks.
    """
    told = {} if sigma is None else {"sigma": sigma}
    tasks = [get_task(str(spec), **told) for spec in TASKS.parse_list(text)]
    names = list(dict.fromkeys(task.name for task in tasks))
    if len(names) != 1:
        raise SuiteError(f"a φ-network is for the settings of one task, and these are {len(names)}: {text}.")
    return tasks


def train_implied(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Train a φ-network to predict the implied reliance of a denoiser."""
    if options.task != "denoise" or not options.prior:
        raise SuiteError(f"--loss {IMPLIED} is for --task denoise with --prior: it asks the prior for a derivative.")
    prior = named_prior(options.prior)
    config = PhiConfig(options.task, tuple(options.widths))
    images = TrainingImages(tuple(options.sets))
    problem = ImpliedPhi(config, images, lambda observation: prior(NOWHERE, observation))
    recipe = _recipe(options)
    network = train(problem, recipe, options.out, options.device, options.resume, lambda line: print(line, flush=True))
    write_atomically(options.out / f"{options.name}.safetensors", to_bytes(network))
    write_card(options.out, problem, recipe, options.sets, _command(options, given))
    return 0


def _command(options: argparse.Namespace, given: Sequence[str]) -> str:
    """The command that gives the same weights: a run that was resumed ends as one left alone."""
    words = [word for word in given if word != "--resume"]
    return f"python -m bigprior.train {shlex.join(words)}".replace(str(options.out), "DIR")


def _recipe(options: argparse.Namespace) -> Recipe:
    return Recipe(
        steps=options.steps, batch=options.batch, size=options.size, rate=options.rate, ema=options.ema,
        seed=options.seed, validate=options.validate, warm_up=min(200, options.steps // 5),
    )  # fmt: skip


def _cache(options: argparse.Namespace, task: Task) -> Path:
    """The folder of a prior's images: one for each prior, task and seed."""
    words = (options.prior, task.label, f"seed{options.seed}")
    return Path(options.out) / "prior" / re.sub(r"[^\w.-]+", "-", "-".join(filter(None, words)))


def write(out: Path, card: Card, weights: bytes) -> None:
    """Write NAME.safetensors and its card, each atomically."""
    files = {
        f"{card.name}.safetensors": weights,
        f"{card.name}.json": (json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n").encode(),
        f"{card.name}.md": card.markdown().encode(),
    }
    for name, data in files.items():
        write_atomically(out / name, data)
