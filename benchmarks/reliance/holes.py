"""φ inside and outside holes: a hole has no data, so φ is 1 there, and the rest was observed without noise.

The implied reliance in a hole is 1 by definition; the declared one is what the method says. Blocks that a hole cuts do
not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.reliance.calibration import phi_of
from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import KINDS, finished, lines, method_labels

SIDES = {"inside": 0.0, "outside": 1.0}


def holes(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Mean φ and root mean squared error inside and outside, every method of an inpainting run."""
    rows = []
    for run, method, images in runs.by_method():
        images = [(image, maps) for image, maps in images if (maps["observed"] < 1).any()]
        for side, observed in SIDES.items():
            row: dict[str, Any] = {"run": run.label, "method": method, "side": side}
            chosen = [(maps, maps["observed"] == observed) for _, maps in images]
            chosen = [(maps, there) for maps, there in chosen if there.any()]
            if not chosen:
                continue
            for kind in KINDS:
                means = [phi[there].mean() for maps, there in chosen if (phi := phi_of(maps, kind)) is not None]
                row[kind] = np.mean(means) if means else np.nan
            row["rmse"] = np.mean([np.sqrt(maps["error"][there].mean()) for maps, there in chosen])
            rows.append(row | {"images": len(chosen)})
    if not rows:
        raise Missing("no image here has a hole: give an inpainting run")
    table = pd.DataFrame(rows)
    return table, lambda: _draw(table)


def _draw(table: pd.DataFrame) -> Figure:
    table = table.assign(label=method_labels(table))
    order = list(dict.fromkeys(table.label))[::-1]
    figure, axis = lines(order)
    for (kind, colour), shift in zip(KINDS.items(), (0.16, -0.16), strict=True):
        for side in SIDES:
            mine = table[(table.side == side) & table[kind].notna()]
            places = [order.index(label) + shift for label in mine.label]
            axis.plot(mine[kind], places, "s" if side == "inside" else "o", color=colour, ms=5, ls="none",
                      mfc=colour if kind == "implied" else "white", label=f"{kind}, {side}")  # fmt: skip
    axis.set(xlabel="mean φ", xlim=(-0.05, 1.05))
    return finished(figure, axis, "φ inside and outside holes")
