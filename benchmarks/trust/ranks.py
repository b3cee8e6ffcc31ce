"""Spearman's rank correlation of a predictor with the squared error, over the places of an image."""

from __future__ import annotations

from scipy.stats import rankdata

from benchmarks.reliance.data import Floats
from benchmarks.tables.correlation import pearson


def spearman(predictor: Floats, error: Floats) -> float:
    """Return ρ in [−1,1] of two arrays (P,): Pearson's r of their ranks, equal values at their mean rank.

    NaN for a constant, or for fewer than three places.
    """
    return pearson(rankdata(predictor), rankdata(error))
