"""The steps of a training that has so many seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from bigprior.muon import Muon
from bigprior.pickled import load_pickled
from bigprior.resume import REMEDY, WHAT
from bigprior.training import CHECKPOINT, Problem, Recipe, moved, step_random
from bigprior.weight_files import reading
from datasets.errors import SuiteError

TIMED = 8
"""Steps from which the seconds of one are told; the first quarter, in which a device gets ready, does not count."""


def within(
    seconds: float, problem: Problem[Any, Any], recipe: Recipe, out: Path, device: str = "cpu", resume: bool = False
) -> Recipe:
    """Return a recipe with as many steps as take so many seconds here, validations not counted.

    The number is settled before the first step, so the rate falls to 0 at the last one, and a run that is resumed has
    the steps with which it began.

    Raises:
        SuiteError: seconds are not over 0, or the checkpoint is damaged.
    """
    if not seconds > 0:
        raise SuiteError("--seconds must be over 0.")
    file = out / CHECKPOINT
    if file.exists() and resume:
        state = load_pickled(file, what=WHAT, remedy=REMEDY)
        with reading(file, WHAT, REMEDY):
            found = cast(Mapping[str, Mapping[str, int]], state)["recipe"]
            return replace(recipe, steps=int(found["steps"]), warm_up=int(found["warm_up"]))
    steps = max(1, int(seconds / seconds_of_a_step(problem, recipe, device)))
    return replace(recipe, steps=steps, warm_up=min(recipe.warm_up, steps // 5))


def seconds_of_a_step(problem: Problem[Any, Any], recipe: Recipe, device: str) -> float:
    """Return the seconds of an optimiser step of a network that is thrown away."""
    network = problem.network().to(device=device, memory_format=torch.channels_last)
    optimizer = Muon(network.parameters())
    began = time.monotonic()
    for step in range(TIMED):
        if step == TIMED // 4:
            began = time.monotonic()
        batch = moved(problem.batch(step_random(recipe.seed, step), recipe), device)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            loss = problem.loss(network, batch, 0.0)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip).item()  # waits for the device
        optimizer.step(0.0)
        optimizer.zero_grad()
    return (time.monotonic() - began) / (TIMED - TIMED // 4)
