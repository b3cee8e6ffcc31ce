"""The checkpoint of a training, compared with the training that is to go on from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bigprior.checkpoints import check_shapes, plain, shapes_of
from bigprior.muon import Muon
from bigprior.pickled import load_pickled
from bigprior.weight_files import reading, shown, size_of
from datasets.errors import SuiteError

WHAT = "checkpoint of a training"
REMEDY = "Move it away to begin again, or choose another --out."


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        step: optimiser steps that were taken.
        seconds: that it has taken.
        total: sum of the losses since the last validation.
        log: one row per validation.
    """

    step: int
    seconds: float
    total: float
    log: list[dict[str, float]]


def restore(
    file: Path,
    recipe: Mapping[str, float],
    selection: str,
    network: nn.Module,
    average: nn.Module,
    optimizer: Muon,
) -> Progress:
    """Give network, average and optimiser the state that they had when a checkpoint was written.

    Args:
        recipe: what must be the same.
        selection: the score that every row of the log must have.

    Raises:
        SuiteError: the file is no checkpoint, is damaged, or is of another recipe or network. What it is and the way
            out are said; network, average and optimiser may not be used then.
    """
    state = load_pickled(file, what=WHAT, remedy=REMEDY)
    size = size_of(file)
    with reading(file, WHAT, REMEDY):
        if not isinstance(state, dict):
            raise TypeError
        _compare(file, state["recipe"], recipe)
        for name, module in (("network", network), ("average", average)):
            found = plain(state[name], size)
            try:
                check_shapes(file, "a checkpoint of this network", found, shapes_of(module))
            except SuiteError as error:
                raise SuiteError(f"{error} {REMEDY}") from error
            module.load_state_dict(found)
        optimizer.load_state_dict(_state_of_optimizer(state["optimizer"], size, network))
        return _progress(state, recipe, selection)


def _compare(file: Path, found: Mapping[str, object], recipe: Mapping[str, float]) -> None:
    differ = [f"{name} {shown(found[name])}, not {value}" for name, value in recipe.items() if found[name] != value]
    if differ:
        raise SuiteError(f"{file} was made with {'; '.join(differ)}: give the same options, or choose another --out.")


def _state_of_optimizer(found: Mapping[str, Any], size: int, network: nn.Module) -> dict[str, Any]:
    """Return a state, if it is like the one after a step: otherwise any error."""
    # Without memory and without arithmetic, a step tells the shapes of its state.
    twins = [nn.Parameter(torch.empty_like(each, device="meta")) for each in network.parameters()]
    for twin in twins:
        twin.grad = torch.empty_like(twin)
    like = Muon(twins)
    like.step(0.0)
    expected = like.state_dict()
    if found["param_groups"] != expected["param_groups"]:
        raise ValueError
    state = {}
    for number, entry in found["state"].items():
        tensors = plain(entry, size)
        shapes = {name: tensor.shape for name, tensor in expected["state"][number].items()}
        if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
            raise ValueError
        # A copy, because what was loaded is a view of the file.
        state[number] = {name: tensor.clone() for name, tensor in tensors.items()}
    return {"param_groups": expected["param_groups"], "state": state}


def _progress(state: Mapping[str, Any], recipe: Mapping[str, float], selection: str) -> Progress:
    """Return the progress, if it is what a training writes: otherwise any error."""
    progress = Progress(state["step"], state["seconds"], state["total"], state["log"])
    rows = all(
        {"step", "seconds", "loss", selection} <= set(row)
        and all(isinstance(value, int | float) for value in row.values())
        for row in progress.log
    )
    numbers = math.isfinite(progress.seconds + progress.total)
    if not (type(progress.step) is int and 0 <= progress.step <= recipe["steps"] and numbers and rows):
        raise ValueError
    return progress
