"""SURE against the true error: the error of a denoiser, estimated without the clean image.

Of the restoration before it is clipped. The estimate of one image scatters by about σ²√(2/N) around the truth, the
same for every method, since they share the noise; the mean over images by less.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import IMPLIED, INK, finished, lines, method_labels

GOOD = 0.03


def stein(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Mean SURE, mean error (both on the [0,1] scale squared) and their ratio, every method of a denoising run."""
    known = {key: line["sure"] for key, line in runs.lines.items() if np.isfinite(line["sure"])}
    pairs = [
        {"run": run.label, "method": method, "sure": known[run.label, method, image], "mse": float(maps["mse"])}
        for run, method, image, maps in runs.measured
        if (run.label, method, image) in known
    ]
    if not pairs:
        raise Missing("SURE was not measured: give a denoising run with --reliance")
    images = pd.DataFrame(pairs)
    images["deviation"] = images.sure / images.mse - 1
    grouped = images.groupby(["run", "method"], sort=False)
    table = grouped[["sure", "mse"]].mean().assign(ratio=lambda t: t.sure / t.mse)
    table = table.assign(worst=grouped.deviation.agg(lambda d: d.abs().max()), images=grouped.size()).reset_index()
    return table, lambda: _draw(table, images)


def _draw(table: pd.DataFrame, images: pd.DataFrame) -> Figure:
    table = table.sort_values("mse", ascending=False).reset_index(drop=True)
    figure, axis = lines(method_labels(table))
    places = np.arange(len(table))
    keys = list(zip(table.run, table.method, strict=True))
    mine = [keys.index(key) for key in zip(images.run, images.method, strict=True)]
    axis.axvspan(-100 * GOOD, 100 * GOOD, color="0.92", zorder=0)
    axis.plot(100 * images.deviation, mine, "o", color=INK, alpha=0.35, ms=3, label="an image")
    axis.plot(100 * (table.ratio - 1), places, "D", color=IMPLIED, ms=4.5, label="mean over images")
    axis.set_xlabel("SURE over the true mean squared error − 1, %")
    return finished(figure, axis, "The error estimated without the clean image; gray: within 3%")
