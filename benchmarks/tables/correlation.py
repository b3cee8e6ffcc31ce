"""Pearson's r and Spearman's ρ with bootstrap intervals over pairs."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from benchmarks.tables.statistics import RESAMPLES, SEED, Floats


def pearson(x: Floats, y: Floats) -> float:
    """Return Pearson's r; NaN for fewer than three pairs or a constant."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def pearson_interval(x: Floats, y: Floats, ranks: bool = False) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of r, over pairs; (nan, nan) where r is not defined.

    Args:
        x, y: the pairs.
        ranks: of Spearman's ρ instead: every resample is ranked again.
    """
    if np.isnan(pearson(x, y)):
        return float("nan"), float("nan")
    drawn = np.random.RandomState(SEED).randint(0, len(x), size=(RESAMPLES, len(x)))
    a, b = x[drawn], y[drawn]
    if ranks:
        a, b = rankdata(a, axis=1), rankdata(b, axis=1)
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    spread = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    values = (a * b).sum(axis=1)[spread > 0] / spread[spread > 0]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
