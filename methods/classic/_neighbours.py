"""Weighted means over a neighbourhood, for methods that average pixels by likeness."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Pair = tuple[slice, slice]
Offset = tuple[int, int]
LEAST = 1e-30
"""Weights that sum up to no more have no mean: near the least float32, quotients lose their digits."""


@dataclass(frozen=True)
class Neighbours:
    """For every pixel, the weights of its neighbours summed up; the pixel itself is not among them.

    Attributes:
        mean: Σ_j w_ij y_j / Σ_j w_ij over j ≠ i (N,C,H,W); y itself where the weights sum up to 1e-30
            or less.
        total: Σ_j w_ij over j ≠ i (N,1,H,W).
    """

    mean: Tensor
    total: Tensor

    def reliance(self, own: Tensor | float) -> Tensor:
        """Return φ = 1 − w_ii/Σ_j w_ij, written so that tiny values of φ keep their digits; w_ii > 0."""
        return self.total / (self.total + own)


def half_window(y: Tensor, radius: int, reach: float = math.inf) -> list[Offset]:
    """Return one (dy,dx) of each opposite pair of neighbours, row by row: dy > 0, or dy = 0 and dx > 0.

    The window is a square of side 2·radius + 1, or of it the disc dy² + dx² ≤ reach². Offsets that lead out of y
    (N,C,H,W) from every place are left out.
    """
    rows, columns = (min(radius, side - 1) for side in y.shape[-2:])
    return [
        (dy, dx)
        for dy in range(rows + 1)
        for dx in range(-columns if dy else 1, columns + 1)
        if dy * dy + dx * dx <= reach * reach
    ]


def average(y: Tensor, offsets: Sequence[Offset], weight: Callable[[int, int, Pair, Pair], Tensor]) -> Neighbours:
    """Average the neighbours i ± offset of every pixel i; those outside the image have no weight.

    Args:
        y: (N,C,H,W).
        offsets: (dy,dx), one of each opposite pair; dy ≥ 0.
        weight: called as weight(dy, dx, here, there) for every offset (weights are symmetric); `here` and `there` cut
            out of an image the pixels i and their neighbours j = i + (dy, dx). It returns w_ij ≥ 0 as (N,1,·,·).
    """
    n, _, h, w = y.shape
    total = y.new_zeros(n, 1, h, w)
    summed = torch.zeros_like(y)
    for dy, dx in offsets:
        here, there = _overlap(dy, dx, h, w)
        weights = weight(dy, dx, here, there)
        for one, other in ((here, there), (there, here)):
            summed[..., *one].addcmul_(weights, y[..., *other])
            total[..., *one] += weights
    positive = total > LEAST
    return Neighbours(torch.where(positive, summed / torch.where(positive, total, 1), y), total)


def compute(y: Tensor, kernel: Callable[..., None], *arguments: object) -> Neighbours:
    """Average the neighbours by a compiled kernel: kernel(image, summed, total, *arguments) adds up those of an image.

    Args:
        y: (N,C,H,W), on the CPU, float32 or float64.
    """
    from methods.classic.kernels.averages import divide

    y = y.detach().contiguous()
    mean, total = torch.zeros_like(y), y.new_zeros(len(y), 1, *y.shape[-2:])
    for image, to, weights in zip(y.numpy(), mean.numpy(), total.numpy()[:, 0], strict=True):
        kernel(image, to, weights, *arguments)
        divide(image, to, weights, LEAST)
    return Neighbours(mean, total)


def _overlap(dy: int, dx: int, h: int, w: int) -> tuple[Pair, Pair]:
    left, right = max(0, -dx), max(0, dx)
    return (slice(0, h - dy), slice(left, w - right)), (slice(dy, h), slice(right, w - left))
