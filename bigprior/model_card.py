"""What a trained network says of itself."""

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
    out: Path, problem: Problem[Any, Any], recipe: Recipe, sets: Sequence[str], command: str, more: Sequence[str] = ()
) -> None:
    """Write the model card of a finished run: everything in it comes from the run.

    Args:
        more: lines of Markdown to add at the end.
    """
    log = pd.read_csv(out / LOG)
    last = log.iloc[-1]
    network = problem.kept(problem.network())
    scores = log.columns.drop(["step", "seconds", "loss"])
    first_line = (type(problem).__doc__ or "").partition("\n")[0]
    lines = [
        f"# {type(problem).__name__}",
        "",
        f"{type(network).__name__}, {sum(p.numel() for p in network.parameters()):,} parameters, half precision.",
        f"Loss: {first_line}",
        "",
        f"- Command: `{command}`",
        f"- Data: training splits of {', '.join(sets)}, without the last {HELD_OUT} images of each, which validate. "
        "No test image was read.",
        f"- Recipe: {', '.join(f'{name} {value}' for name, value in asdict(recipe).items())}; Muon and Adam, bfloat16 "
        "convolutions, channels_last.",
        f"- Time: {last['seconds']:.0f} seconds on {torch.get_num_threads()} thread(s) of {platform.machine()}, torch "
        f"{torch.__version__}.",
        "",
        "Validation of the average of the weights that is shipped:",
        "",
        "| score | first | last |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {log[name].iloc[0]:.3f} | {last[name]:.3f} |" for name in scores),
        "",
        "How it does on test images is in the tables of `results/`.",
        *more,
    ]
    write_atomically(out / CARD, ("\n".join(lines) + "\n").encode())
