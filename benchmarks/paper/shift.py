"""φ trained on one set and at work on another: `python -m benchmarks.paper.shift --task colorize`.

Three φ-networks, each trained on one LSUN set with the f and g of the row `bigprior`, are tested on images of all
three, and so is φ = ½. All images are of the training splits, and none was shown to the networks that make g: of the
last 20 of a set the first 14 are trained on and the last 6 tested on. Written to OUT/analyses/:

    phi-shift-TASK.csv    trained_on, tested_on, PSNR of x̂, f and g, the gain over the better of f and g, and mean φ
    phi-shift-TASK.png    the gains and the means as matrices
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from benchmarks import environment
from bigprior.phi.network import PhiConfig
from bigprior.phi.train import PhiProblem, evaluate, read_pairs
from bigprior.training import Recipe, train
from datasets.cli import guarded
from datasets.errors import unknown
from datasets.files import write_atomically
from datasets.task import get_task
from methods.bigprior._compact import belief, fidelity

SETS = ("lsun-bedroom", "lsun-church", "lsun-conference")
TASKS = {
    "colorize": (PhiConfig("colorize", (8, 12), 4), 1),
    "inpaint-random": (PhiConfig("inpaint-random", (16, 24, 32), 2, hole_only=True), 6),
}
"""Tasks whose φ is trained on the error of the image → the configuration of the network, and degradations per image."""
TESTED = 6
"""Images of every set."""
RECIPE = Recipe(steps=150, batch=8, size=64, rate=0.005, ema=0.95, warm_up=15, validate=150)
OUT = environment.ROOT / "results" / "paper"
HALF = "φ = ½"


def matrix(task: str, recipe: Recipe = RECIPE, sets: Sequence[str] = SETS) -> pd.DataFrame:
    """Train on each set and test on all; one line per pair of sets."""
    config, draws = TASKS[task]
    pairs = {
        name: read_pairs(
            get_task(task), [name], lambda _, seen: belief(seen), lambda _, seen: fidelity(seen),
            draws=draws, held_out=TESTED, unseen=True,
        )
        for name in sets
    }  # fmt: skip
    lines = []
    for trained_on in (HALF, *sets):
        problem = PhiProblem(config, pairs.get(trained_on, pairs[sets[0]]))
        torch.manual_seed(recipe.seed)
        network = problem.network()
        if trained_on != HALF:
            with tempfile.TemporaryDirectory() as folder:
                network = train(problem, recipe, Path(folder), say=partial(print, trained_on, flush=True))
        network = problem.at_work(network)
        lines += [
            {"trained_on": trained_on, "tested_on": tested_on, "images": len(pairs[tested_on][1])}
            | evaluate(network, pairs[tested_on][1])
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
        figure.subplots(1, 2), ("gain", "phi_mean"), ("gain over the better of f and g, dB", "mean φ"),
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
