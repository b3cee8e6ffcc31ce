"""Weighted means over a square neighbourhood, for methods that average pixels by likeness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Pair = tuple[slice, slice]


@dataclass(frozen=True)
class Neighbours:
    """For every pixel, the weights of its neighbours summed up; the pixel itself is not among them.

    Attributes:
        mean: Σ_j w_ij y_j / Σ_j w_ij over j ≠ i (N,C,H,W); y itself where all weights are 0.
        total: Σ_j w_ij over j ≠ i (N,1,H,W).
        largest: max_j w_ij over j ≠ i (N,1,H,W).
    """

    mean: Tensor
    total: Tensor
    largest: Tensor

    def reliance(self, own: Tensor | float) -> Tensor:
        """Return φ = 1 − w_ii/Σ_j w_ij, written so that tiny values of φ keep their digits; w_ii > 0."""
        return self.total / (self.total + own)


def average(y: Tensor, radius: int, weight: Callable[[int, int, Pair, Pair], Tensor]) -> Neighbours:
    """Average the neighbours of every pixel in a square window of side 2·radius + 1, clipped at the borders.

    Args:
        y: (N,C,H,W).
        radius: of the window, ≥ 0; neighbours outside the image have no weight.
        weight: called as weight(dy, dx, here, there) for every offset of one half plane (weights are symmetric);
            `here` and `there` cut out of an image the pixels i and their neighbours j = i + (dy, dx). It returns
            w_ij ≥ 0 as (N,1,·,·).
    """
    n, _, h, w = y.shape
    total = y.new_zeros(n, 1, h, w)
    largest = torch.zeros_like(total)
    summed = torch.zeros_like(y)
    for dy, dx in _half_plane(min(radius, h - 1), min(radius, w - 1)):
        here, there = _overlap(dy, dx, h, w)
        weights = weight(dy, dx, here, there)
        for one, other in ((here, there), (there, here)):
            summed[..., *one].addcmul_(weights, y[..., *other])
            total[..., *one] += weights
            torch.maximum(largest[..., *one], weights, out=largest[..., *one])
    positive = total > 0
    return Neighbours(torch.where(positive, summed / torch.where(positive, total, 1), y), total, largest)


def _half_plane(rows: int, cols: int) -> Iterator[tuple[int, int]]:
    for dx in range(1, cols + 1):
        yield 0, dx
    for dy in range(1, rows + 1):
        for dx in range(-cols, cols + 1):
            yield dy, dx


def _overlap(dy: int, dx: int, h: int, w: int) -> tuple[Pair, Pair]:
    left, right = max(0, -dx), max(0, dx)
    return (slice(0, h - dy), slice(left, w - right)), (slice(dy, h), slice(right, w - left))
