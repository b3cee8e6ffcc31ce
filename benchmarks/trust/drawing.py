"""The figure of a study: what warns of error, whether the masks hold, and whether variances are calibrated."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.reliance.drawing import INK
from benchmarks.trust.guarantee import ALL
from benchmarks.trust.predictors import PREDICTORS
from benchmarks.trust.study import Study
from datasets.task import get_task

COLOURS = dict(zip(PREDICTORS, ("#2b5cc0", "#c03a2b", "#e08a1e", "#2a9d5c", "#7b3fa0", "#4a4a4a"), strict=True))
NAMES = {
    "phi": "declared φ",
    "implied": "implied φ",
    "data": "1 − implied φ",
    "difference": "|f − g|",
    "variance": "variance over draws",
    "sure": "SURE, local",
    "oracle": "oracle",
}
HIGHEST = 1.6
"""Relative risk that is shown."""
COLUMNS = 3


def draw(study: Study, tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw a panel of risk–coverage curves per row, then the masks, then the variances if there are any."""
    risks, masks, bins = tables["risk-coverage"], tables["masks"], tables["variance-bins"]
    rows = list(dict.fromkeys(risks.row))
    count = len(rows) + bool(len(masks)) + bool(len(bins))
    columns = min(COLUMNS, count)
    lines = -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.3 * columns, 0.9 + 2.7 * lines), squeeze=False)
    panels = list(axes.flat)
    found = tables["predictors"]
    group = ALL if ALL in set(found.set) else found.set.iloc[0]
    areas = found[found.set == group].set_index(["row", "predictor"]).ause
    for axis, row in zip(panels, rows, strict=False):
        _risk(axis, row, risks[risks.row == row], areas)
    if len(masks):
        _coverage(panels[len(rows)], masks, study)
    if len(bins):
        _variance(panels[count - 1], bins)
    for axis in panels[count:]:
        axis.set_axis_off()
    handles = {
        label: handle for axis in panels[: len(rows)]
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }  # fmt: skip
    figure.suptitle(f"{get_task(study.task).label}; {', '.join(study.sets)}", x=0.01, ha="left", fontsize=9)
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=len(handles), frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0.3 / figure.get_figheight(), 1, 1))
    return figure


def _risk(axis: Axes, row: str, table: pd.DataFrame, areas: pd.Series) -> None:
    axis.axhline(1, color=INK, lw=0.7, ls=(0, (1, 3)))
    written = 0
    for name, mine in table.groupby("curve", sort=False):
        oracle = name == "oracle"
        colour = INK if oracle else COLOURS[str(name)]
        axis.plot(mine.coverage, mine.risk, color=colour, lw=1.3, ls=":" if oracle else "-", label=NAMES[str(name)])
        if not oracle:
            axis.annotate(f"{areas[row, name]:.2f}", (0.97, 0.04 + 0.085 * written), xycoords="axes fraction",
                          color=colour, ha="right", fontsize=7)  # fmt: skip
            written += 1
    axis.annotate("AUSE", (0.97, 0.04 + 0.085 * written), xycoords="axes fraction", color=INK, ha="right", fontsize=7)
    axis.set_title(row, fontsize=8)
    highest = min(HIGHEST, 1.05 * max(1.05, table.risk.max()))
    axis.set(xlabel="share kept", ylabel="relative risk", xlim=(0, 1), ylim=(0, highest))


def _coverage(axis: Axes, table: pd.DataFrame, study: Study) -> None:
    """Coverage of the best predictor of every row: a group of marks per set that a mask is tested on."""
    best = table[table.best]
    fits = list(dict.fromkeys(best.calibrated))
    main = ALL if ALL in fits else fits[0]
    rows = list(dict.fromkeys(best.row))
    tests = list(dict.fromkeys(best.tested))
    axis.axvspan(100 * (1 - study.alpha) - 2, 100 * (1 - study.alpha) + 2, color="0.9", zorder=0)
    axis.axvline(100 * (1 - study.alpha), color=INK, lw=0.8)
    palette = plt.get_cmap("tab10")
    for number, row in enumerate(rows):
        offset = 0.6 * ((number + 0.5) / len(rows) - 0.5)
        for style, mine in (
            ("o", best[(best.row == row) & (best.calibrated == main)]),
            ("x", best[(best.row == row) & (best.calibrated != main) & (best.calibrated == best.tested)]),
        ):
            places = np.array([tests.index(test) for test in mine.tested]) + offset
            label = f"{row} ({mine.predictor.iloc[0]})" if style == "o" else None
            axis.errorbar(100 * mine.coverage, places, xerr=100 * mine.se, fmt=style, ms=3.5, lw=0.8,
                          color=palette(number), label=label)  # fmt: skip
    axis.set_yticks(range(len(tests)), [test.replace(", ", "\n").replace("lsun-", "") for test in tests], fontsize=6)
    axis.set_ylim(len(tests) - 0.4 + 0.36 * len(rows) * len(tests) / 4, -0.6)  # room for the legend below
    axis.set_title("masks of all sets (o), of their own (x); gray ±2%", fontsize=7)
    axis.set_xlabel("coverage, %, ± standard error")
    axis.legend(fontsize=5, frameon=True, loc="lower left")


def _variance(axis: Axes, table: pd.DataFrame) -> None:
    top = 1.05 * float(table[["expected", "measured"]].max().max())
    axis.plot([0, top], [0, top], color=INK, lw=0.7, ls=":")
    for number, (row, mine) in enumerate(table.groupby("row", sort=False)):
        axis.plot(mine.expected, mine.measured, "o-", ms=3, lw=1.2, color=plt.get_cmap("tab10")(number), label=row)
    axis.set(xlabel="standard deviation that is told", ylabel="root mean square error", xlim=(0, top), ylim=(0, top))
    axis.set_title("variance over draws, ten bins", fontsize=8)
    axis.legend(fontsize=6, frameon=False)
