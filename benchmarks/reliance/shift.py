"""φ under shift: the same method on images or noise it was not made for.

Give several runs of one task: a network trained on one set and run on another, or σ outside the range of training. A φ
that knows its limits moves towards the data where the prior becomes worse, and still orders pixels by their errors
(AUSE).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.reliance.coverage import ause
from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import KINDS, SEPARATOR, panels


def shift(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Mean φ, level, PSNR and AUSE of the implied φ of every method that is in at least two runs of a task."""
    tasks = {run.label: run.task.name for run in runs.runs}
    if len(tasks) == len(set(tasks.values())):
        raise Missing("no task has two runs: give the folders of several, of other images or another σ")
    records = runs.records[runs.records[["phi_mean", "phi_implied"]].notna().any(axis=1)]
    records = records[records.groupby(["task", "method"]).run.transform("nunique") > 1]
    if records.empty:
        raise Missing("no method with a φ is in two runs of one task")
    rows = []
    for (task, method, run), mine in records.groupby(["task", "method", "run"], sort=False):
        areas = [
            ause(maps["implied"].ravel(), maps["error"].ravel())[0]
            for r, m, _, maps in runs.measured
            if (r.label, m) == (run, method)
        ]
        rows.append({"task": task, "method": method, "run": run, "level": mine.level.mean(),
                     "declared": mine.phi_mean.mean(), "implied": mine.phi_implied.mean(),
                     "psnr": mine.psnr.mean() if "psnr" in mine else np.nan,
                     "ause": np.nanmean(areas) if np.isfinite(areas).any() else np.nan,
                     "images": len(mine)})  # fmt: skip
    return pd.DataFrame(rows), lambda: _draw(records)


def _draw(records: pd.DataFrame) -> Figure:
    several = records.task.nunique() > 1
    images = records.rename(columns={"phi_mean": "declared", "phi_implied": "implied"})
    images = images.assign(panel=images.method + (SEPARATOR + images.task if several else ""))
    long = images.melt(["panel", "run", "image", "level"], list(KINDS), "kind", "phi").dropna(subset="phi")

    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        order = list(mine.groupby("run", sort=False)["level"].mean().sort_values(kind="stable").index)
        mine = mine.assign(place=mine.run.map(order.index))
        for kind, colour in KINDS.items():
            part = mine[mine.kind == kind]
            if len(part):
                sns.lineplot(part, x="place", y="phi", color=colour, marker="o", errorbar=("pi", 90), label=f"{kind} φ",
                             ax=axis)  # fmt: skip
        labels = [run.replace(", ", "\n").replace(" sigma", "\nσ") for run in order]
        axis.set_xticks(range(len(order)), labels, fontsize=6, rotation=30 if len(order) > 3 else 0)
        axis.set(xlabel="", ylabel="mean φ", xlim=(-0.3, len(order) - 0.7))

    return panels(long, "panel", draw, sharey=True)
