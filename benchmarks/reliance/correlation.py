"""Mean φ of an image against its level (σ in denoising), and against the quality of the prior.

r is Pearson's, ρ Spearman's, each with a 95% percentile bootstrap interval over images. A sound φ rises with the level
(worse data) and with the prior's PSNR (a better belief).
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import rankdata

from benchmarks.reliance.calibration import CONSTANT
from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import BACKGROUND, KINDS, method_labels, panels
from benchmarks.tables.correlation import pearson, pearson_interval

WIDTH = 32
"""Letters under a panel."""


def _correlations(images: pd.DataFrame, x: str) -> pd.DataFrame:
    """r and ρ of both kinds of φ with column x, per run and method."""
    lines = []
    for (run, method), mine in images.groupby(["run", "method"], sort=False):
        for kind in KINDS:
            pairs = mine[[x, kind]].dropna().to_numpy(dtype=float)
            if len(pairs) < 3:
                continue
            a, b = pairs.T
            (low, high), (rank_low, rank_high) = pearson_interval(a, b), pearson_interval(a, b, ranks=True)
            lines.append({"run": run, "method": method, "phi": kind, "pearson": pearson(a, b), "pearson_low": low,
                          "pearson_high": high, "spearman": pearson(rankdata(a), rankdata(b)), "spearman_low": rank_low,
                          "spearman_high": rank_high, "images": len(a)})  # fmt: skip
    if not lines:
        raise Missing("fewer than three images per method")
    return pd.DataFrame(lines)


def _draw(images: pd.DataFrame, found: pd.DataFrame, x: str, label: Callable[[str], str]) -> Figure:
    """A panel per run and method.

    Args:
        label: label of a run → label of the axis of x.
    """
    images = images.assign(panel=method_labels(images))

    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        told = found[(found.run == mine.run.iloc[0]) & (found.method == mine.method.iloc[0])].set_index("phi")
        for place, (kind, colour) in enumerate(KINDS.items()):
            if mine[kind].notna().any():
                sns.regplot(mine, x=x, y=kind, ci=None, color=colour, label=f"{kind} φ", ax=axis, truncate=True,
                            scatter_kws={"s": 9, "alpha": 0.6}, line_kws={"lw": 1.4})  # fmt: skip
                if kind in told.index and np.isfinite(told.pearson[kind]):
                    axis.annotate(f"r = {told.pearson[kind]:+.2f}", (0.97, 0.04 + 0.1 * place), ha="right",
                                  xycoords="axes fraction", color=colour, fontsize=7, bbox=BACKGROUND)  # fmt: skip
        axis.set(xlabel=fill(label(mine.run.iloc[0]), WIDTH), ylabel="mean φ")

    return panels(images, "panel", draw)


def _images(runs: Runs) -> pd.DataFrame:
    table = runs.records.rename(columns={"phi_mean": "declared", "phi_implied": "implied"})
    return table[table[list(KINDS)].notna().any(axis=1)]


def _varying(images: pd.DataFrame) -> pd.DataFrame:
    """The images of methods whose φ is not the same on all of them."""
    if images.empty:
        return images
    grouped = images.groupby(["run", "method"])[list(KINDS)]
    return images[(grouped.transform("max") - grouped.transform("min") > CONSTANT).any(axis=1)]


def phi_against_level(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Every method that says its φ, or whose implied φ was measured, in runs where the task's level varies."""
    images = _images(runs)
    images = images[images.level.notna()]
    images = _varying(images[images.groupby(["run", "method"])["level"].transform("nunique") > 1])
    if images.empty:
        raise Missing("the level does not vary in these runs: give a blind one (--task denoise --sigma 5:50)")
    found = _correlations(images, "level")
    titles = {run.label: run.task.level_title for run in runs.runs}
    return found, lambda: _draw(images, found, "level", titles.__getitem__)


def phi_against_prior(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Every method with a g that is an image and a φ that differs between images."""
    quality = [
        {"run": run.label, "method": method, "image": image, "prior_psnr": maps.prior_psnr}
        for run, method, image, maps in runs.measured
        if maps.prior_psnr is not None
    ]
    if not quality:
        raise Missing("no method here has a prior image and maps: run one with --reliance (bigprior, nlm, …)")
    images = _varying(_images(runs).merge(pd.DataFrame(quality), on=["run", "method", "image"]))
    if images.empty:
        raise Missing("no method here has a φ that differs between images")
    found = _correlations(images, "prior_psnr")
    return found, lambda: _draw(images, found, "prior_psnr", lambda _: "PSNR of the prior alone [dB]")
