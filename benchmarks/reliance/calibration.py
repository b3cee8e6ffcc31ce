"""Does a higher φ mean a larger error?

The blocks of an image are sorted by φ and cut into ten bins of equal count; a bin's error is the root of its mean
squared error, and φ and error of a bin are means over the images. ρ is Spearman's correlation of φ and error over the
blocks, the mean over images. Equal values of φ share a bin: a mask has two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from benchmarks.reliance.data import Floats, Maps, Missing, Runs
from benchmarks.reliance.drawing import BACKGROUND, KINDS, method_labels, panels
from benchmarks.tables.correlation import pearson

BINS = 10
CONSTANT = 1e-2
"""A φ whose values lie this close together is taken for a constant."""


def phi_of(maps: Maps, kind: str) -> Floats | None:
    """The declared or the implied map."""
    return maps.declared if kind == "declared" else maps["implied"]


def bins(phi: Floats, error: Floats) -> pd.DataFrame:
    """Return mean φ, root mean squared error and number of blocks per bin 0..9, those that are not empty."""
    places = np.minimum((rankdata(phi) - 0.5) * BINS / len(phi), BINS - 1).astype(int)
    grouped = pd.DataFrame({"bin": places, "phi": phi, "error": error}).groupby("bin")
    table = grouped.mean().assign(blocks=grouped.size())
    return table.assign(rmse=np.sqrt(table.pop("error")))


def calibration(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Every method with maps, declared and implied φ."""
    parts = []
    for run, method, images in runs.by_method():
        for kind in KINDS:
            pairs = [(phi.ravel(), m["error"].ravel()) for _, m in images if (phi := phi_of(m, kind)) is not None]
            pairs = [(phi, error) for phi, error in pairs if np.ptp(phi) > CONSTANT]
            if not pairs:
                continue  # a constant warns of nothing
            means = pd.concat([bins(phi, error) for phi, error in pairs]).groupby(level="bin").mean()
            rho = [pearson(rankdata(a), rankdata(b)) for a, b in pairs]
            known = [r for r in rho if np.isfinite(r)]
            told = {"run": run.label, "method": method, "kind": kind, "spearman": np.mean(known) if known else np.nan}
            parts.append(means.reset_index().assign(**told))
    if not parts:
        raise Missing("every φ here is constant")
    table = pd.concat(parts, ignore_index=True)[["run", "method", "kind", "spearman", "bin", "phi", "rmse", "blocks"]]
    return table, lambda: _draw(table)


def _draw(table: pd.DataFrame) -> Figure:
    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        for place, (kind, part) in enumerate(mine.groupby("kind", sort=False)):
            axis.plot(part.phi, part.rmse, "o-", color=KINDS[str(kind)], label=f"{kind} φ", ms=3, lw=1.2)
            axis.annotate(f"ρ = {part.spearman.iloc[0]:+.2f}", (0.04, 0.14 - 0.1 * place), xycoords="axes fraction",
                          color=KINDS[str(kind)], fontsize=7, bbox=BACKGROUND)  # fmt: skip
        axis.set(xlabel="mean φ of the bin", ylabel="RMSE, 0–255", ylim=(0, None))

    return panels(table.assign(panel=method_labels(table)), "panel", draw)
