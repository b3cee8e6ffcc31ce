"""Train our supervised networks: `python -m methods.supervised.train TASK --out DIR`, TASK one of `JOBS`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from bigprior.model_card import CARD, write_card
from bigprior.training import WEIGHTS, Problem, Recipe, train
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown
from datasets.training_images import TRAINING_SETS, TrainingImages
from methods.supervised.problems.colorize import Colorization
from methods.supervised.problems.denoise import Denoising
from methods.supervised.problems.inpaint import Inpainting
from methods.supervised.problems.inpaint_gan import AdversarialInpainting


@dataclass(frozen=True)
class Job:
    """What a name on the command line stands for: the problem, its recipe, and the sets it is trained on."""

    problem: Callable[[TrainingImages], Problem[Any, Any]]
    recipe: Recipe
    sets: tuple[str, ...]


LSUN = ("lsun-bedroom", "lsun-church", "lsun-conference")

JOBS = {
    "denoise": Job(Denoising, Recipe(steps=7500, batch=4, size=96), TRAINING_SETS),
    "inpaint": Job(Inpainting, Recipe(steps=5000, batch=4, size=160), LSUN),
    "inpaint-gan": Job(AdversarialInpainting, Recipe(steps=2500, batch=4, size=128, rate=0.003, ema=0.995), LSUN),
    "colorize": Job(Colorization, Recipe(steps=1800, batch=6, size=208, validate=300), LSUN),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m methods.supervised.train", description=__doc__)
    parser.add_argument("task", help=", ".join(JOBS))
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint, log, curve and weights")
    parser.add_argument("--sets", nargs="+", metavar="SET", help=f"training sets, of {', '.join(TRAINING_SETS)}")
    parser.add_argument("--start", type=Path, help="weights of an earlier training to begin with; random by default")
    parser.add_argument("--resume", action="store_true", help="resume from the checkpoint in --out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(getattr(JOBS["denoise"].recipe, field.name)))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.task not in JOBS:
        raise unknown("training task", options.task, JOBS)
    job = JOBS[options.task]
    sets = tuple(options.sets or job.sets)
    for name in sets:
        if name not in TRAINING_SETS:
            raise unknown("training set", name, TRAINING_SETS)
    given = {f.name: getattr(options, f.name) for f in fields(Recipe) if getattr(options, f.name) is not None}
    recipe = replace(job.recipe, **given)
    if options.device != "cpu" and not torch.cuda.is_available():
        raise SuiteError(f"--device {options.device}: there is no such device here, use cpu.")
    if options.threads:
        torch.set_num_threads(options.threads)
    problem = job.problem(TrainingImages(sets))
    train(
        problem,
        recipe,
        options.out,
        options.device,
        options.resume,
        lambda line: print(line, flush=True),
        options.start,
    )
    command = shlex.join(
        ["python", "-m", "methods.supervised.train", *(sys.argv[1:] if arguments is None else arguments)]
    )
    write_card(options.out, problem, recipe, sets, command.replace(str(options.out), "DIR"))
    print(f"weights: {options.out / WEIGHTS}, and what to say of them: {options.out / CARD}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
