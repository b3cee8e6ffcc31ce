"""Declared against implied: how much of a decoupling is real.

φ and g may themselves be functions of y. Then the declared φ is not the share of prior any more: an unbounded
φ = (x − y)/(g − y) reaches any image x, whatever g is. With φ and g held fixed, the reliance is the declared φ to the
last digit (`frozen`, measured in the coordinates of the data, whatever the domain of φ); let go, it is the implied one.

    gap           frozen − implied, mean over the image: the share of the result that is called prior and follows y
                  (negative: called data and does not follow it)
    gap_observed  the same per observed coordinate: in colorization one of three, in inpainting those outside the hole
    map_gap       |frozen − implied| per block, mean over the image
    check         |declared − frozen| of the means: 0, or the declared φ is not what the fusion does
    check_map     |declared − frozen| per block, where φ has places in the image

In colorization and inpainting declared and implied speak of the observed numbers, the rest being 1; then a φ declared
on the channels of RGB differs from its frozen value by definition, and `check` says by how much.
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from benchmarks.reliance.data import Maps, Missing, Runs
from benchmarks.reliance.drawing import (
    DECLARED,
    DIFFERENCE_COLOURS,
    IMPLIED,
    INK,
    PHI_COLOURS,
    finished,
    lines,
    method_labels,
)
from benchmarks.tables.statistics import bootstrap_interval
from datasets.operators import Luma
from datasets.task import Task

MOST_MAPS = 6
RANGE = 0.5
"""Of the colours of a difference."""


def _coordinates(maps: Maps, task: Task) -> float:
    """The share of the coordinates of an image that was observed: of a luma, one of three."""
    observed = float(maps["observed"].mean())
    return observed / 3 if issubclass(task.problem.operator, Luma) else observed


def declared_implied(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Every method that says its φ and, to compare with, the implied reliance of those that do not."""
    rows = []
    for run, method, images in runs.by_method():
        values = []
        for image, maps in images:
            line = runs.lines[run.label, method, image]
            value = {"declared": line["phi_mean"], "implied": line["phi_implied"], "probes_se": line["phi_implied_se"]}
            if "frozen" in maps:
                frozen = float(maps["frozen_mean"])
                gap = frozen - line["phi_implied"]
                value |= {
                    "frozen": frozen,
                    "gap": gap,
                    "gap_observed": gap / _coordinates(maps, run.task),
                    "map_gap": float(np.abs(maps["frozen"] - maps["implied"]).mean()),
                    "check": abs(line["phi_mean"] - frozen),
                }
                if "declared" in maps:
                    value["check_map"] = float(np.abs(maps["declared"] - maps["frozen"]).mean())
            values.append(value)
        found = pd.DataFrame(values)
        names = ["declared", "frozen", "implied", "probes_se", "gap", "gap_observed", "map_gap", "check", "check_map"]
        means = found.reindex(columns=names).astype(float).mean()
        low, high = bootstrap_interval(found.gap.to_numpy(dtype=float)) if "gap" in found else (np.nan, np.nan)
        rows.append({"run": run.label, "method": method, **means, "gap_low": low, "gap_high": high,
                     "images": len(found)})  # fmt: skip
    table = pd.DataFrame(rows)
    return table, lambda: _draw(table)


def _draw(table: pd.DataFrame) -> Figure:
    table = table.sort_values("implied", ascending=False).reset_index(drop=True)
    figure, axis = lines(method_labels(table))
    places = np.arange(len(table))
    axis.hlines(places, table.frozen, table.implied, color=INK, lw=1, zorder=1)
    axis.plot(table.frozen, places, "o", color=DECLARED, ms=5, label="declared φ (φ and g held fixed)")
    axis.plot(table.implied, places, "D", color=IMPLIED, ms=4.5, label="implied φ (what the result takes from y)")
    axis.set_xlabel("mean reliance on the prior")
    return finished(figure, axis, "Declared against implied reliance; a red mark alone: φ is not told")


def reliance_maps(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Declared and implied maps of one image; the figure has the methods whose maps differ most."""
    found: dict[tuple[str, str], list[tuple[str, Maps]]] = {}
    for run, method, image, maps in runs.measured:
        if "frozen" in maps and not run.folder.facts.is_oracle(method):
            found.setdefault((run.label, image), []).append((method, maps))
    if not found:
        raise Missing("no method here says its φ and has maps: run one with --reliance (bigprior, nlm, …)")
    most = max(len(methods) for methods in found.values())
    (run_label, image), methods = next(item for item in found.items() if len(item[1]) == most)
    methods = sorted(methods, key=lambda pair: -_difference(pair[1]))
    rows = [{"run": run_label, "image": image, "method": m, "map_gap": _difference(maps)} for m, maps in methods]
    return pd.DataFrame(rows), lambda: _draw_maps(f"{run_label}\n{image}", methods[:MOST_MAPS])


def _difference(maps: Maps) -> float:
    return float(np.abs(maps["frozen"] - maps["implied"]).mean())


def _draw_maps(title: str, methods: list[tuple[str, Maps]]) -> Figure:
    figure, axes = plt.subplots(3, len(methods), figsize=(1.5 * len(methods) + 1.4, 5.0), squeeze=False)
    unit, both = Normalize(0, 1), Normalize(-RANGE, RANGE)
    for column, (method, maps) in zip(axes.T, methods, strict=True):
        frozen, implied = maps["frozen"], maps["implied"]
        column[0].imshow(frozen, cmap=PHI_COLOURS, norm=unit)
        column[0].set_title(method, fontsize=7)
        column[1].imshow(implied, cmap=PHI_COLOURS, norm=unit)
        column[2].imshow(frozen - implied, cmap=DIFFERENCE_COLOURS, norm=both)
        column[2].set_xlabel(f"mean {np.mean(frozen - implied):+.3f}", fontsize=7)
        for axis in column:
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
    for axis, label in zip(axes[:, 0], ("declared", "implied", "declared − implied"), strict=True):
        axis.set_ylabel(label, fontsize=8)
    wrapped = "\n".join(fill(line, int(13 * figure.get_figwidth())) for line in title.splitlines())
    figure.suptitle(wrapped, x=0.01, ha="left", fontsize=7.5)
    right = 1 - 0.75 / figure.get_figwidth()
    left = 0.3 / figure.get_figwidth() + 0.01
    figure.subplots_adjust(left=left, right=right - 0.01, top=0.85, bottom=0.06, wspace=0.06, hspace=0.05)
    for norm, colours, bottom, height in ((unit, PHI_COLOURS, 0.4, 0.45), (both, DIFFERENCE_COLOURS, 0.07, 0.24)):
        bar = figure.colorbar(ScalarMappable(norm, colours), cax=figure.add_axes((right, bottom, 0.014, height)))
        bar.ax.tick_params(labelsize=6)
    return figure
