"""Bootstrap intervals over images."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95


@lru_cache(maxsize=8)
def _counts(n: int, resamples: int, seed: int) -> np.ndarray:
    """How often each of n values is drawn in each resample."""
    return np.random.RandomState(seed).multinomial(n, np.full(n, 1 / n), size=resamples)


def bootstrap_means(values: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED) -> np.ndarray:
    """Return the means of `resamples` resamples of n values, drawn with replacement.

    The seed is fixed: the same images are drawn for every method of equal n, and a table is reproducible.
    """
    return _counts(len(values), resamples, seed) @ values / len(values)


def bootstrap_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean; (nan, nan) for fewer than two values.

    Assumes that the images are independent draws of the population one wants to speak of. With few images (under
    about ten) the interval is known to be too narrow.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    tail = 50 * (1 - level)
    low, high = np.percentile(bootstrap_means(values), [tail, 100 - tail])
    return float(low), float(high)


def not_worse(values: np.ndarray, best: np.ndarray, higher_is_better: bool, level: float = LEVEL) -> bool:
    """Return True if the paired bootstrap interval of the mean difference to the best does not exclude zero.

    Args:
        values, best: scores of the same images in the same order.
    """
    difference = (best - values) if higher_is_better else (values - best)
    if np.allclose(difference, 0):
        return True
    if len(difference) < 2:
        return False
    low = np.percentile(bootstrap_means(difference), 50 * (1 - level))
    return bool(low <= 0)
