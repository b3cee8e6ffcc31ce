"""The ratios of all races in one figure."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

SVG, PNG = "peers.svg", "peers.png"
COLOURS = {"worse": "#1b6f9c", "equal": "0.45", "better": "#d2602a"}
"""Colour of a dot by what the peer's result is."""
SHAPES = {1: "o", 3: "s"}
"""Gray and colour."""
SMALL, LARGE = 16.0, 46.0
"""Areas of the dots of the smallest and the largest image."""
APART = 0.16
"""Lines that gray and colour lie above and below the middle, so that neither hides the other."""
LINE, GAP = 0.2, 0.45
"""Inches per line, and its share that is left free between two rows."""


def draw(table: pd.DataFrame, kind: str) -> bytes:
    """A line per row and peer, a dot per image: how many times as long the peer takes.

    Args:
        table: the lines of peers.csv, at least one.
        kind: svg or png.
    """
    sns.set_theme(style="ticks", context="paper", rc={"svg.hashsalt": "peers", "svg.fonttype": "none"})
    places = _places(table)
    height = max(places.values())
    figure, axis = plt.subplots(figsize=(7.2, 1.25 + LINE * (height + 1)), layout="constrained")
    pixels = table.height * table.width
    large = pixels > (pixels.min() + pixels.max()) / 2
    for line, place in places.items():
        axis.axhline(place, color="0.92", linewidth=0.6, zorder=0)
        mine = (table.row == line[0]) & (table.peer == line[1])
        for planes, shape in SHAPES.items():
            dots = table[mine & (table.planes == planes)].sort_values("height", ascending=False)  # small ones on top
            at = place + (APART if planes > 1 else -APART)
            sizes = [LARGE if is_large else SMALL for is_large in large[dots.index]]
            axis.scatter(dots.ratio, [at] * len(dots), sizes, dots.peer_is.map(COLOURS), marker=shape, alpha=0.85,
                         linewidths=0.5, edgecolors="white", zorder=3)  # fmt: skip
    axis.axvline(1, color="0.15", linewidth=1, zorder=2)
    axis.set_yticks(list(places.values()), [peer for _, peer in places])
    axis.tick_params(axis="y", length=0, labelsize=7.5)
    axis.set_ylim(height + 0.8, -0.8)
    _scale(axis, table)
    _name_rows(axis, places)
    _legend(axis, table, bool(large.any() and not large.all()))
    sns.despine(figure, left=True)
    buffer = io.BytesIO()
    # The date is left out: equal lines give equal files.
    figure.savefig(buffer, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else {"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def _places(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return row and peer → height, those of one row together."""
    places: dict[tuple[str, str], float] = {}
    at, last = -1.0, None
    for row, peer in dict.fromkeys(zip(table.row, table.peer, strict=True)):
        at += 1 if row == last or last is None else 1 + GAP
        places[row, peer], last = at, row
    return places


def _scale(axis: Axes, table: pd.DataFrame) -> None:
    axis.set_xscale("log")
    axis.set_xlim(min(table.ratio.min(), 1) / 1.35, max(table.ratio.max(), 1) * 1.35)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlabel("times as long as ours (over 1: ours ahead)", fontsize=8.5)


def _name_rows(axis: Axes, places: dict[tuple[str, str], float]) -> None:
    """Write the rows to the left of the peers' names."""
    heights: dict[str, list[float]] = {}
    for (row, _), place in places.items():
        heights.setdefault(row, []).append(place)
    widest = max(len(peer) for _, peer in places)
    for row, at in heights.items():
        axis.annotate(row, (0, sum(at) / len(at)), (-4.1 * widest - 10, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", ha="right", va="center", fontsize=8.5, fontweight="bold")  # fmt: skip


def _legend(axis: Axes, table: pd.DataFrame, two_sizes: bool) -> None:
    def dot(label: str, shape: str = "o", colour: str = "0.45", size: float = SMALL) -> Line2D:
        return Line2D([], [], linestyle="", marker=shape, color=colour, markersize=size**0.5, label=label,
                      markeredgecolor="white", markeredgewidth=0.5)  # fmt: skip

    handles = [dot(f"peer's result {word}", colour=COLOURS[word]) for word in COLOURS if (table.peer_is == word).any()]
    handles += [
        dot(word, SHAPES[planes]) for planes, word in ((1, "gray"), (3, "colour")) if planes in set(table.planes)
    ]
    if two_sizes:
        ordered = table.assign(pixels=table.height * table.width).sort_values("pixels")
        ends = ((ordered.iloc[0], SMALL), (ordered.iloc[-1], LARGE))
        handles += [dot(f"{line.height}×{line.width}", size=size) for line, size in ends]
    axis.figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False, fontsize=7.5,
                       handletextpad=0.1, columnspacing=1.2)  # fmt: skip
