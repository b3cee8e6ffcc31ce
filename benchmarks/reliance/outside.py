"""The share of φ outside [0,1].

A declared φ outside is no share of prior: a network without a bound can reach any image with it. An implied φ is
outside where a method amplifies y (φ < 0: sharpening) or answers against it (φ > 1).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import DECLARED, IMPLIED, finished, lines, method_labels

MARGIN = 0.05
"""Of the implied map, whose probes leave some noise."""


def outside(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Share of the declared φ (every coordinate) and of the implied map (blocks, beyond MARGIN), means over images."""
    blocks: dict[tuple[Hashable, Hashable], list[float]] = {}
    for run, method, _, maps in runs.measured:
        far = (maps["implied"] < -MARGIN) | (maps["implied"] > 1 + MARGIN)
        blocks.setdefault((run.label, method), []).append(float(far.mean()))
    rows = []
    for (label, name), mine in runs.records.groupby(["run", "method"], sort=False):
        implied = blocks.get((label, name), [])
        rows.append({"run": label, "method": name, "declared_outside": mine.phi_outside.mean(),
                     "implied_outside": np.mean(implied) if implied else np.nan, "images": len(mine)})  # fmt: skip
    table = pd.DataFrame(rows)
    table = table[table[["declared_outside", "implied_outside"]].notna().any(axis=1)].reset_index(drop=True)
    if table.empty:
        raise Missing("no method here says its φ, and none was measured: run the benchmark with --reliance")
    return table, lambda: _draw(table)


def _draw(table: pd.DataFrame) -> Figure:
    table = table.iloc[::-1].reset_index(drop=True)
    figure, axis = lines(method_labels(table))
    places = np.arange(len(table))
    axis.barh(places + 0.18, 100 * table.declared_outside, 0.36, color=DECLARED, label="declared φ")
    axis.barh(places - 0.18, 100 * table.implied_outside, 0.36, color=IMPLIED, label=f"implied φ, by over {MARGIN}")
    axis.set_xlabel("share of φ outside [0,1], %")
    axis.set_xlim(0, max(1.0, 1.05 * axis.get_xlim()[1]))
    return finished(figure, axis, "φ outside [0,1]")
