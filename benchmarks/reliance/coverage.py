"""Risk against coverage: if the blocks with the highest φ are given up first, how fast does the error of the rest fall?

The risk at coverage c is the mean squared error of the share c of blocks with the lowest φ, over the risk of all. The
oracle gives up the largest errors first. AUSE is the area between the two curves (the area under the sparsification
error), 0 for a φ that orders blocks as their errors do; `area_random` is the same area of a random φ, and
`ause_lowest` that of giving up the lowest φ first: in denoising, where a method leans on the data because the prior
fails (texture, edges), it is those that err. Blocks of equal φ count with their mean error, so their order does not
matter.

Source: E. Ilg et al., "Uncertainty Estimates and Multi-Hypotheses Networks for Optical Flow", ECCV 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.reliance.calibration import phi_of
from benchmarks.reliance.data import Floats, Missing, Runs
from benchmarks.reliance.drawing import BACKGROUND, INK, KINDS, method_labels, panels
from benchmarks.tables.statistics import bootstrap_interval

POINTS = 101
HIGHEST = 3.0
"""Relative risk that is shown."""


def risk(order: Floats, error: Floats) -> Floats:
    """Return the relative risk at coverages 0.01, …, 1 (POINTS − 1 of them), lowest `order` first."""
    values, place = np.unique(order, return_inverse=True)
    count = np.bincount(place, minlength=len(values))
    mean = np.bincount(place, weights=error, minlength=len(values)) / count
    ordered = np.repeat(mean, count)
    running = np.cumsum(ordered) / np.arange(1, len(error) + 1)
    kept = np.maximum(1, np.round(np.linspace(0, 1, POINTS)[1:] * len(error)).astype(int))
    return np.asarray(running[kept - 1] / running[-1])


def ause(phi: Floats, error: Floats) -> tuple[float, float]:
    """Return the area of φ's curve over the oracle's, and that of a random φ; (nan, nan) without error."""
    if not error.sum() > 0:
        return float("nan"), float("nan")
    best = risk(error, error)
    return float((risk(phi, error) - best).mean()), float((1 - best).mean())


def risk_coverage(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Every method with maps: areas, means over images, the interval a bootstrap over images."""
    rows, curves = [], []
    for run, method, images in runs.by_method():
        for kind in KINDS:
            pairs = [(phi.ravel(), m["error"].ravel()) for _, m in images if (phi := phi_of(m, kind)) is not None]
            pairs = [(phi, error) for phi, error in pairs if error.sum() > 0]
            if not pairs:
                continue
            areas = np.array([(*ause(phi, error), ause(-phi, error)[0]) for phi, error in pairs])
            low, high = bootstrap_interval(areas[:, 0])
            told = {"run": run.label, "method": method, "kind": kind}
            rows.append(told | {"ause": areas[:, 0].mean(), "ause_low": low, "ause_high": high,
                                "ause_lowest": areas[:, 2].mean(), "area_random": areas[:, 1].mean(),
                                "images": len(areas)})  # fmt: skip
            for name, order in ((kind, [p for p, _ in pairs]), ("oracle", [e for _, e in pairs])):
                curve = np.mean([risk(o, e) for o, (_, e) in zip(order, pairs, strict=True)], axis=0)
                coverage = np.linspace(0, 1, POINTS)[1:]
                curves.append(pd.DataFrame(told | {"curve": name, "coverage": coverage, "risk": curve}))
    if not rows:
        raise Missing("no image has an error")
    table = pd.DataFrame(rows)
    return table, lambda: _draw(pd.concat(curves, ignore_index=True), table)


def _draw(curves: pd.DataFrame, table: pd.DataFrame) -> Figure:
    areas = table.set_index(["run", "method", "kind"]).ause

    def draw(axis: Axes, mine: pd.DataFrame) -> None:
        for name, colour in [("oracle", INK), *KINDS.items()]:
            part = mine[mine.curve == name].drop_duplicates("coverage")
            if part.empty:
                continue
            label = "the largest errors first (oracle)" if name == "oracle" else f"highest {name} φ first"
            axis.plot(part.coverage, part.risk, color=colour, lw=1.3, ls=":" if name == "oracle" else "-", label=label)
            if name != "oracle":
                area = areas[mine.run.iloc[0], mine.method.iloc[0], name]
                axis.annotate(f"AUSE {area:.2f}", (0.97, 0.14 - 0.1 * list(KINDS).index(name)), color=colour,
                              xycoords="axes fraction", fontsize=7, ha="right",
                              bbox=BACKGROUND)  # fmt: skip
        highest = float(np.clip(mine.risk.max(), 1.2, HIGHEST))
        axis.set(xlabel="share of blocks kept", ylabel="relative risk", xlim=(0, 1), ylim=(0, 1.05 * highest))

    return panels(curves.assign(panel=method_labels(curves)), "panel", draw)
