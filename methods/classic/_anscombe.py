"""The generalised Anscombe transform of Poisson–Gaussian noise and its exact unbiased inverse."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, poisson

Floats = NDArray[np.float64]

TABLE = 200.0
"""Mean count up to which the inverse is a table; beyond, the closed form is exact to 10⁻⁴ of a count."""
STEP = 0.01
"""Of the table, in √count."""
NODES = np.linspace(-8, 8, 4001)
"""Of the integrals over the Gaussian part, in its standard deviations."""


def transform(counts: Floats, spread: float) -> Floats:
    """Return 2 √max(z + 3/8 + s², 0) of z = p + s n, p Poisson and n standard normal: its variance is about 1."""
    stable: Floats = 2 * np.sqrt(np.maximum(counts + 3 / 8 + spread**2, 0))
    return stable


def mean_transform(means: Floats, spread: float) -> Floats:
    """Return E[transform(p + s n)] for p Poisson of each of the means (K,)."""
    most = math.ceil(means.max() + 12 * math.sqrt(means.max()) + 30)
    counts = np.arange(most + 1)
    weights = norm.pdf(NODES)
    weights /= weights.sum()
    given = transform(counts[:, None] + spread * NODES, spread) @ weights if spread else transform(counts, 0)
    expected: Floats = poisson.pmf(counts, means[:, None]) @ given
    return expected


@lru_cache(maxsize=64)
def _table(spread: float) -> tuple[Floats, Floats]:
    """Return means from 0 to TABLE and the expected transforms of them."""
    means = np.arange(0, math.sqrt(TABLE), STEP) ** 2
    return means, mean_transform(means, spread)


def inverse(stable: Floats, spread: float) -> Floats:
    """Return the mean count whose expected transform is `stable`; 0 for all that is under that of 0.

    The exact unbiased inverse: a denoiser that returns E[transform | x] gives x back, which squaring would not. A
    table of the expectation, and above it the closed form

        D²/4 + √(3/2)/(4D) − 11/(8D²) + 5√(3/2)/(8D³) − 1/8 − s².

    Source: M. Mäkitalo and A. Foi, "Optimal Inversion of the Generalized Anscombe Transformation for Poisson–Gaussian
    Noise", IEEE Transactions on Image Processing 22(1), 2013.
    """
    means, expected = _table(spread)
    d = np.maximum(stable, expected[0])
    root = math.sqrt(3 / 2)
    closed = d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 / 8 * root / d**3 - 1 / 8 - spread**2
    exact: Floats = np.where(d <= expected[-1], np.interp(d, expected, means), closed)
    return exact
