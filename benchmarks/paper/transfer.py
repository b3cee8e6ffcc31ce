"""The study of `python -m benchmarks.paper.shift`: φ learned on one set and used on another."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from bigprior.phi.least_squares import solve
from bigprior.phi.network import PhiConfig
from bigprior.phi.train import Pair, PhiProblem, Source, evaluate, read_pairs
from bigprior.training import Recipe, train
from datasets.files import write_atomically
from datasets.observation import Observation
from datasets.task import get_task
from methods.fusion.bigprior import belief, fidelity
from methods.fusion.unseen import UnseenColours

SETS = ("lsun-bedroom", "lsun-church", "lsun-conference")
RIDGE = 1.0
HOLES = PhiConfig("inpaint-random", (16, 24, 32), 2, hole_only=True)
RECIPE = Recipe(steps=300, batch=8, size=96, rate=0.005, ema=0.97, warm_up=60, validate=300)
HALF = "φ = ½"

Pairs = tuple[list[Pair], list[Pair]]
"""To learn from, to test on."""


def colours(name: str) -> Pairs:
    """The pairs of a set for colours."""
    return read_pairs(get_task("colorize"), [name], UnseenColours(), _fidelity)


def holes(name: str) -> Pairs:
    """The pairs of a set for holes, six to an image that is learned from."""
    task, drawn = get_task(HOLES.task), {"draws": 6, "held_out": 6, "unseen": True}
    return read_pairs(task, [name], lambda _, seen: belief(seen), _fidelity, **drawn)  # type: ignore[arg-type]


def _fidelity(_: Source, seen: Observation) -> Tensor:
    return fidelity(seen)


def linear(name: str, pairs: Pairs) -> nn.Module:
    """Learn φ for colours."""
    print(f"{name}: {len(pairs[0])} pairs", flush=True)
    return solve(pairs[0], RIDGE)


def network(name: str, pairs: Pairs, recipe: Recipe = RECIPE) -> nn.Module:
    """Learn φ for holes."""
    problem = PhiProblem(HOLES, pairs)
    with tempfile.TemporaryDirectory() as folder:
        return problem.at_work(train(problem, recipe, Path(folder), say=partial(print, name, flush=True)))


class Half(nn.Module):
    """φ = ½."""

    def forward(self, fidelity: Tensor, *_: Tensor) -> Tensor:
        """Return ½ for every pixel of f (N,C,H,W)."""
        return torch.full_like(fidelity[:, :1], 0.5)


TASKS: dict[str, tuple[Callable[[str], Pairs], Callable[[str, Pairs], nn.Module]]] = {
    "colorize": (colours, linear),
    "inpaint-random": (holes, network),
}
"""Task → what gives the pairs of a set, and what learns φ from them."""


def matrix(task: str, sets: Sequence[str]) -> pd.DataFrame:
    """Learn on each set and test on all; one line per pair of sets."""
    read, learn = TASKS[task]
    pairs = {name: read(name) for name in sets}
    lines: list[dict[str, Any]] = []
    for trained_on in (HALF, *sets):
        phi = Half() if trained_on == HALF else learn(trained_on, pairs[trained_on])
        lines += [
            {"trained_on": trained_on, "tested_on": tested_on, "images": len(pairs[tested_on][1])}
            | evaluate(phi, pairs[tested_on][1])
            for tested_on in sets
        ]
    return pd.DataFrame(lines)


def draw(table: pd.DataFrame) -> bytes:
    """Return a figure of two matrices: gain over the better of f and g, and mean φ."""
    import seaborn as sns
    from matplotlib.figure import Figure

    short = table.replace(regex={"trained_on": {"lsun-": ""}, "tested_on": {"lsun-": ""}})
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axis, column, title, colours, pattern in zip(
        figure.subplots(1, 2), ("gain", "phi_mean"), ("gain over the better of f and g\nof each image, dB", "mean φ"),
        ("vlag", "viridis"), ("+.2f", ".2f"), strict=True,
    ):  # fmt: skip
        square = short.pivot_table(index="trained_on", columns="tested_on", values=column, sort=False)
        centre = {"center": 0.0} if column == "gain" else {"vmin": 0.0, "vmax": 1.0}
        sns.heatmap(square, annot=True, fmt=pattern, cmap=colours, ax=axis, cbar=False, linewidths=1, **centre)
        axis.set(title=title, xlabel="tested on", ylabel="trained on")
        axis.tick_params(axis="y", rotation=0)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()


def write(task: str, folder: Path) -> pd.DataFrame:
    """Carry out the study, write its table and its figure, and return the table."""
    table = matrix(task, SETS)
    write_atomically(folder / f"phi-shift-{task}.csv", table.to_csv(index=False, float_format="%.5g").encode())
    write_atomically(folder / f"phi-shift-{task}.png", draw(table))
    return table
