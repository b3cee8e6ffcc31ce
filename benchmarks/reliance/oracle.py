"""The φ* that minimises the error, and how close the declared φ comes.

One φ per block of 4×4 pixels, shared by the channels, with f and g as they are: the error of a block is a parabola,
(1−φ)²‖f−x‖² + 2φ(1−φ)⟨f−x, g−x⟩ + φ²‖g−x‖², whose minimum, clipped to [0,1], is

    φ* = (‖f−x‖² − ⟨f−x, g−x⟩)/‖f−g‖².

No φ can do better at this scale; finer, φ* fits single noise values. `captured` is the share of the possible gain over
the better of f and g that the method has. Blocks with f = g do not count in comparisons of φ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.reliance.data import Floats, Maps, Missing, Runs
from benchmarks.reliance.drawing import DECLARED, IMPLIED, INK, finished, lines, method_labels
from benchmarks.tables.correlation import pearson

LEAST = 1e-3
"""Smallest ‖f − g‖² of a block in which φ matters, 0–255 scale squared."""


def error(parts: Floats, phi: Floats | float) -> Floats:
    """Return the squared error of a fusion with φ, from its three parts (3,h,w)."""
    return np.asarray((1 - phi) ** 2 * parts[0] + 2 * phi * (1 - phi) * parts[1] + phi**2 * parts[2])


def best_phi(parts: Floats) -> Floats:
    """Return φ* in [0,1] of (3,...) parts; NaN where f = g."""
    distance = parts[0] - 2 * parts[1] + parts[2]
    matters = distance > LEAST
    return np.where(matters, np.clip((parts[0] - parts[1]) / np.where(matters, distance, 1), 0, 1), np.nan)


def of_image(maps: Maps) -> dict[str, float]:
    """Compare φ with φ* on one image that has parts; errors are mean squares on the 0–255 scale."""
    parts, phi = maps["parts"], np.asarray(maps.declared)
    best = best_phi(parts)
    matters = np.isfinite(best)
    constant = best_phi(parts.mean(axis=(1, 2)))
    return {
        "phi": float(phi.mean()),
        "phi_best": float(best[matters].mean()) if matters.any() else float("nan"),
        "correlation": pearson(phi[matters], best[matters]),
        "distance": float(np.abs(phi - best)[matters].mean()) if matters.any() else float("nan"),
        "mse_data": float(parts[0].mean()),
        "mse_prior": float(parts[2].mean()),
        "mse_constant": float(error(parts, float(np.nan_to_num(constant))).mean()),
        "mse": float(maps["mse"]) * 255**2,
        "mse_best": float(error(parts, np.nan_to_num(best)).mean()),
    }


def oracle_phi(runs: Runs) -> tuple[pd.DataFrame, Callable[[], Figure]]:
    """Means over images of every method whose f and g are images."""
    rows = []
    for run, method, images in runs.by_method():
        values = [of_image(maps) for _, maps in images if "parts" in maps and maps.declared is not None]
        if values:
            rows.append({"run": run.label, "method": method, **pd.DataFrame(values).mean(), "images": len(values)})
    if not rows:
        raise Missing("no method here has a data image and a prior image: run one with --reliance (bigprior, nlm, …)")
    table = pd.DataFrame(rows)
    alone = table[["mse_data", "mse_prior"]].min(axis=1)
    possible = alone - table.mse_best
    table["captured"] = ((alone - table.mse) / possible.where(possible > 1e-9)).clip(lower=-9.99)
    return table, lambda: _draw(table)


def _draw(table: pd.DataFrame) -> Figure:
    table = table.sort_values("mse", ascending=False).reset_index(drop=True)
    figure, axis = lines(method_labels(table))
    kinds = [("mse_data", "f alone", "s", DECLARED), ("mse_prior", "g alone", "D", IMPLIED),
             ("mse_constant", "best constant φ", "|", INK), ("mse", "the method's φ", "o", "black"),
             ("mse_best", "φ*, the best φ per 4×4 block", "*", "#2a9d5c")]  # fmt: skip
    places = np.arange(len(table))
    for name, label, marker, colour in kinds:
        level = -10 * np.log10(table[name].clip(lower=1e-3) / 255**2)
        axis.plot(level, places, marker, color=colour, label=label, ms=7 if marker in "*|" else 4.5, ls="none")
    axis.set_xlabel("PSNR of the mean error, not clipped [dB]")
    return finished(figure, axis, "What φ makes of f and g")
