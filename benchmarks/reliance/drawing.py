"""What the figures of all analyses share."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datasets.files import write_atomically

DPI = 160
IMPLIED, DECLARED, INK = "#c03a2b", "#2b5cc0", "0.25"
PHI_COLOURS, DIFFERENCE_COLOURS = "magma", "vlag"
KINDS = {"declared": DECLARED, "implied": IMPLIED}
SEPARATOR = " · "
"""Between the name of a method and its run; a line break in the title of a panel."""
BACKGROUND = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.5}
"""Behind numbers that are written over curves."""
PANELS = 4
"""Panels in a row."""


def theme() -> None:
    """Set the style of all figures."""
    sns.set_theme(style="whitegrid", context="paper", rc={"axes.titlelocation": "left", "figure.dpi": DPI})


def panels(
    table: pd.DataFrame, column: str, draw: Callable[[Axes, pd.DataFrame], None], sharey: bool = False
) -> Figure:
    """One small panel per value of a column, with one legend for all."""
    names = list(dict.fromkeys(table[column]))
    columns = min(PANELS, len(names))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(0.6 + 2.6 * columns, 0.7 + 2.3 * rows), squeeze=False, sharey=sharey
    )
    for axis, name in zip(axes.flat, names, strict=False):
        draw(axis, table[table[column] == name])
        axis.set_title(str(name).replace(SEPARATOR, "\n"), fontsize=8)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_axis_off()
    found = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    for axis in axes.flat:
        if axis.get_legend() is not None:
            axis.get_legend().remove()
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    if found:
        figure.legend(found.values(), found.keys(), loc="upper right", ncols=len(found), frameon=False, fontsize=8)
    return figure


def lines(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure with one line of text height per method, and place for its name on the left."""
    names = 0.07 * max(map(len, labels))
    figure, axis = plt.subplots(figsize=(names + 5.2, 1.3 + 0.24 * len(labels)))
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(-0.6, len(labels) - 0.4)
    return figure, axis


def finished(figure: Figure, axis: Axes, title: str) -> Figure:
    """Write the title above a figure of `lines` and the legend below it."""
    handles, names = axis.get_legend_handles_labels()
    columns = min(len(names), 3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    figure.legend(handles, names, loc="lower center", ncols=columns, frameon=False, fontsize=7)
    below = 0.18 * -(-len(names) // columns) + 0.05
    figure.tight_layout(rect=(0, below / figure.get_figheight(), 1, 1))
    return figure


def method_labels(table: pd.DataFrame) -> Sequence[str]:
    """Name of the method, with the run if there are several."""
    if table.run.nunique() == 1:
        return list(table.method)
    return [f"{method}{SEPARATOR}{run}" for method, run in zip(table.method, table.run, strict=True)]


def write(path: Path, figure: Figure) -> None:
    """Write a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 4})
    plt.close(figure)
    write_atomically(path, buffer.getvalue())
