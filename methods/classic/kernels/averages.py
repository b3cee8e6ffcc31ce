"""What the kernels of weighted means share outside their loops: the terms of 2^x, tiles, and the last division."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

TILE = (64, 256)
"""Rows and columns of a tile, at most."""
SINGLE = (0.00132764725, 0.00967554189, 0.0555071309, 0.240221202, 0.693146944, 1.0)
DOUBLE = tuple(math.log(2) ** i / math.factorial(i) for i in range(12, -1, -1))
"""2^x for |x| ≤ 1/2 as a polynomial, highest power first: to 2·10⁻⁷ of the value, and to 4·10⁻¹⁶."""

Floats = NDArray[np.floating]


def powers_of_two(y: Floats) -> tuple[np.floating, ...]:
    """Return the terms of 2^x in the type of y, float32 or float64."""
    kind = y.dtype.type
    return tuple(map(kind, SINGLE if kind is np.float32 else DOUBLE))


def even_columns(width: int, most: int) -> int:
    """Return how wide tiles of about equal width are, at most so many columns: none is a narrow rest."""
    return -(-width // -(-width // most))


@compiled
def divide(y, mean, total, least):
    """Divide sums (C,H,W) by those of the weights (H,W); where these are `least` or less, y is the mean."""
    for c in range(y.shape[0]):
        for row in range(y.shape[1]):
            for x in range(y.shape[2]):
                weight = total[row, x]
                mean[c, row, x] = mean[c, row, x] / weight if weight > least else y[c, row, x]
