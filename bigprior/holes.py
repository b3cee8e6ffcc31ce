"""Holes of many shapes, for training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from skimage.draw import line
from skimage.morphology import disk

SQUARE = 64
"""Side of the square holes, that of the paper's centre hole."""
SHARES = (0.55, 0.35, 0.1)
"""Of square holes, of rectangles, and of strokes."""


def random_hole(random: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Return a mask (size,size), 1 where observed.

    A square of 64, or one or two rectangles with sides |N(64, 32)| in [8, ¾ size], or a thick broken line.
    """
    kind = random.choice(3, p=SHARES)
    mask = np.ones((size, size), dtype=np.float32)
    if kind == 0:
        top, left = random.integers(size - SQUARE + 1, size=2)
        mask[top : top + SQUARE, left : left + SQUARE] = 0
    elif kind == 1:
        for _ in range(random.integers(1, 3)):
            rows, columns = np.clip(np.abs(random.normal(64, 32, 2)), 8, 0.75 * size).astype(int)
            top, left = random.integers(size - rows + 1), random.integers(size - columns + 1)
            mask[top : top + rows, left : left + columns] = 0
    else:
        brush = disk(int(random.integers(3, 10)))
        reach = brush.shape[0]
        path = random.integers(0, size - reach + 1, size=(random.integers(2, 6), 2))
        for start, end in pairwise(path):
            for row, column in zip(*line(*start, *end), strict=True):
                mask[row : row + reach, column : column + reach][brush > 0] = 0
    return mask
