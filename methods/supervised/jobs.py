"""What our supervised networks are trained for, each problem with its recipe and its sets, and the training itself."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from bigprior.model_card import CARD, write_card
from bigprior.schedule import within
from bigprior.training import WEIGHTS, Problem, Recipe, train
from datasets.errors import SuiteError, unknown
from datasets.training_images import TRAINING_SETS, TrainingImages
from methods.supervised.problems.artefacts import Artefacts
from methods.supervised.problems.colorize import Colorization
from methods.supervised.problems.denoise import Denoising
from methods.supervised.problems.inpaint import Inpainting
from methods.supervised.problems.inpaint_gan import AdversarialInpainting
from methods.supervised.train import SETS


@dataclass(frozen=True)
class Job:
    """What a name on the command line stands for: the problem, its recipe, and the sets it is trained on.

    Attributes:
        on_device: the problem with batches that a device draws, if that is possible.
    """

    problem: Callable[[TrainingImages], Problem[Any, Any]]
    recipe: Recipe
    sets: tuple[str, ...]
    on_device: Callable[[TrainingImages, str], Problem[Any, Any]] | None = None


LSUN = ("lsun-bedroom", "lsun-church", "lsun-conference")

JOBS = {
    "denoise": Job(Denoising, Recipe(steps=7500, batch=4, size=96), TRAINING_SETS, on_device=Denoising),
    "inpaint": Job(Inpainting, Recipe(steps=5000, batch=4, size=160), LSUN),
    "inpaint-gan": Job(AdversarialInpainting, Recipe(steps=2500, batch=4, size=128, rate=0.003, ema=0.995), LSUN),
    "artefacts": Job(Artefacts, Recipe(steps=4000, batch=4, size=96, rate=0.004), TRAINING_SETS),
    "colorize": Job(Colorization, Recipe(steps=1800, batch=6, size=208, validate=300), LSUN),
}


def carry_out(options: Namespace, given: Sequence[str]) -> int:
    """Train what a command line asks for, write its weights and its card, and return the exit status.

    Args:
        options: as read.
        given: the words of the command line.

    Raises:
        SuiteError: an unknown training set, a device that is not there, or one that cannot draw the batches.
    """
    job = JOBS[options.task]
    sets = tuple(options.sets or job.sets)
    for name in sets:
        if name not in SETS:
            raise unknown("training set", name, SETS)
    changed = {f.name: getattr(options, f.name) for f in fields(Recipe) if getattr(options, f.name) is not None}
    recipe = replace(job.recipe, **changed)
    if options.device != "cpu" and not torch.cuda.is_available():
        raise SuiteError(f"--device {options.device}: there is no such device here, use cpu.")
    if options.threads:
        torch.set_num_threads(options.threads)
    where = options.batches or ("host" if options.device == "cpu" or job.on_device is None else "device")
    if where == "host":
        problem = job.problem(TrainingImages(sets))
    elif job.on_device is not None:
        problem = job.on_device(TrainingImages(sets), options.device)
    else:
        able = ", ".join(name for name, each in JOBS.items() if each.on_device is not None)
        raise SuiteError(f"--batches device: {options.task} draws its batches on the host alone (on a device: {able}).")
    if options.seconds is not None:
        recipe = within(options.seconds, problem, recipe, options.out, options.device, options.resume)
        print(f"{options.seconds:g} seconds: {recipe.steps} steps", flush=True)
    train(
        problem,
        recipe,
        options.out,
        options.device,
        options.resume,
        lambda line: print(line, flush=True),
        options.start,
    )
    command = shlex.join(["python", "-m", "methods.supervised.train", *given])
    command = command.replace(str(options.out), "DIR")
    write_card(options.out, problem, recipe, sets, command, device=options.device, batches=f"the {where}")
    print(f"weights: {options.out / WEIGHTS}, and what to say of them: {options.out / CARD}")
    return 0
