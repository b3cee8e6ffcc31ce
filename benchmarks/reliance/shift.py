"""φ under shift: the same method on images or noise it was not made for.

Give several runs: a network trained on one set and run on another, or σ outside the range of training. A φ that knows
its limits moves towards the data where the prior becomes worse, and still orders pixels by their errors (AUSE).
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
from benchmarks.reliance.drawing import KINDS, panels


def shift(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Mean φ, PSNR and AUSE of the implied φ of every method that is in at least two runs."""
    if len(runs.runs) < 2:
        raise Missing("there is one run: give the folders of several, of other images or another σ")
    records = runs.records[runs.records[["phi_mean", "phi_implied"]].notna().any(axis=1)]
    rows = []
    for (method, run), mine in records.groupby(["method", "run"], sort=False):
        areas = [
            ause(maps["implied"].ravel(), maps["error"].ravel())[0]
            for r, m, _, maps in runs.measured
            if (r.label, m) == (run, method)
        ]
        rows.append({"method": method, "run": run, "sigma": mine.sigma.mean(), "declared": mine.phi_mean.mean(),
                     "implied": mine.phi_implied.mean(), "psnr": mine.psnr.mean(),
                     "ause": np.nanmean(areas) if np.isfinite(areas).any() else np.nan,
                     "images": len(mine)})  # fmt: skip
    table = pd.DataFrame(rows)
    table = table[table.groupby("method").run.transform("nunique") > 1].reset_index(drop=True)
    if table.empty:
        raise Missing("no method with a φ is in two of these runs")
    return table, lambda: _draw(table, records)


def _draw(table: pd.DataFrame, records: pd.DataFrame) -> Figure:
    order = list(dict.fromkeys(table.sort_values("sigma", kind="stable").run))
    images = records[records.method.isin(table.method)].rename(
        columns={"phi_mean": "declared", "phi_implied": "implied"}
    )
    long = images.melt(["method", "run", "image"], list(KINDS), "kind", "phi").dropna()
    long = long.assign(place=long.run.map(order.index))

    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        for kind, colour in KINDS.items():
            part = mine[mine.kind == kind]
            if len(part):
                sns.lineplot(part, x="place", y="phi", color=colour, marker="o", errorbar=("pi", 90), label=f"{kind} φ",
                             ax=axis)  # fmt: skip
        axis.set_xticks(range(len(order)), [run.replace(", ", "\n") for run in order], fontsize=6)
        axis.set(xlabel="", ylabel="mean φ", xlim=(-0.3, len(order) - 0.7))

    return panels(long, "method", draw, sharey=True)
