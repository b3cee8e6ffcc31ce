"""φ learned on one set and at work on another: `python -m benchmarks.paper.shift --task colorize`.

Three φ, each learned on one LSUN set with the f and g of the row `bigprior` and the recipe of its φ, are tested on
images of all three, and so is φ = ½. All images are of the training splits, and no g is of a network trained on the
image. Colours: a linear φ in closed form, of all but the last 20 images of a set, tested on those. Holes: a
φ-network, of 14 of the last 20 images, tested on the other 6. Written to OUT/analyses/:

    phi-shift-TASK.csv    trained_on, tested_on, images, PSNR of x̂, f and g, gain over the better of f and g, mean φ
    phi-shift-TASK.png    the gains and the means as matrices
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks import environment
from bigprior.phi.least_squares import solve
from bigprior.phi.network import PhiConfig
from bigprior.phi.train import Pair, PhiProblem, Source, evaluate, read_pairs
from bigprior.training import Recipe, train
from datasets.cli import guarded
from datasets.errors import unknown
from datasets.files import write_atomically
from datasets.observation import Observation
from datasets.task import get_task
from methods.bigprior._compact import belief, fidelity
from methods.bigprior._unseen import UnseenColours

SETS = ("lsun-bedroom", "lsun-church", "lsun-conference")
RIDGE = 1.0
HOLES = PhiConfig("inpaint-random", (16, 24, 32), 2, hole_only=True)
RECIPE = Recipe(steps=300, batch=8, size=96, rate=0.005, ema=0.97, warm_up=60, validate=300)
OUT = environment.ROOT / "results" / "paper"
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


def matrix(task: str, sets: Sequence[str] = SETS) -> pd.DataFrame:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.paper.shift", description=(__doc__ or "").split(":")[0])
    p.add_argument("--task", default="colorize", help=", ".join(TASKS))
    p.add_argument("--out", type=Path, default=OUT, help="folder of the tables (default: results/paper)")
    options = p.parse_args(argv)
    if options.task not in TASKS:
        raise unknown("task", options.task, TASKS)
    table = matrix(options.task)
    folder = options.out / "analyses"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"phi-shift-{options.task}.csv", table.to_csv(index=False, float_format="%.5g").encode())
    write_atomically(folder / f"phi-shift-{options.task}.png", draw(table))
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
