"""Write a model card."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bigprior.training import LOG, Problem, Recipe
from datasets.files import write_atomically
from datasets.training_images import HELD_OUT

CARD = "card.md"


def write_card(
    out: Path,
    problem: Problem[Any, Any],
    recipe: Recipe,
    sets: Sequence[str],
    command: str,
    more: Sequence[str] = (),
    device: str = "cpu",
    batches: str = "the host",
) -> None:
    """Write the model card of a finished run: everything in it comes from the run.

    What the network is for, its known weaknesses and its licence are to be added by hand.

    Args:
        more: lines of Markdown to add at the end.
        device: that trained.
        batches: who drew them, if that was not the CPU that trained.
    """
    log = pd.read_csv(out / LOG)
    last = log.iloc[-1]
    network = problem.kept(problem.network())
    scores = log.columns.drop(["step", "seconds", "loss"])
    first_line = (type(problem).__doc__ or "").partition("\n")[0]
    parameters = sum(p.numel() for p in network.parameters())
    lines = [
        f"# {type(problem).__name__}",
        "",
        f"- Network: {type(network).__name__}, {parameters:,} parameters, half precision.",
        f"- Loss: {first_line}",
        "",
        "## Data and split",
        "",
        f"The training splits of {', '.join(sets)}. The last {HELD_OUT} images of each split validate and are not "
        "trained on. No test image was read.",
        "",
        "## Training",
        "",
        f"    {command}",
        "",
        f"- Recipe: {', '.join(f'{name} {value}' for name, value in asdict(recipe).items())}; Muon and Adam, bfloat16 "
        "convolutions, channels_last.",
        f"- Time: {last['seconds']:.0f} seconds on {machine(device)}, torch {torch.__version__}"
        f"{'' if device == 'cpu' else f'; batches drawn by {batches}, validated on the host'}.",
        "",
        "## Validation",
        "",
        "Scores of the averaged weights, which are the ones shipped:",
        "",
        "| score | first | last |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {log[name].iloc[0]:.3f} | {last[name]:.3f} |" for name in scores),
        "",
        "How the network scores on test images is in the tables of `results/`.",
        *more,
    ]
    write_atomically(out / CARD, ("\n".join(lines) + "\n").encode())


def machine(device: str) -> str:
    """Return what a device is, in words."""
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{threads} thread{'' if threads == 1 else 's'} of {platform.machine()}"
