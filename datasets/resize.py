"""MATLAB's `imresize` with its bicubic kernel, and the reduction of super-resolution by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.blur import whole_steps
from datasets.noise import Gaussian
from datasets.operators import Operator, Shape
from datasets.task import Problem

Floats = NDArray[np.float64]


def cubic(t: Floats) -> Floats:
    """Return Keys' cubic with a = −1/2 at t: the kernel of `bicubic`, 0 beyond 2."""
    t = np.abs(t)
    inner, outer = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, inner, np.where(t <= 2, outer, 0))


def lanczos(t: Floats) -> Floats:
    """Return sinc(t) sinc(t/3) at t: the kernel of `lanczos3`, 0 beyond 3."""
    return np.where(np.abs(t) < 3, np.sinc(t) * np.sinc(t / 3), 0)


def weights(size: int, to: int, kernel: Callable[[Floats], Floats] = cubic, support: float = 4) -> Floats:
    """Return the matrix (to, size) that resamples a line of `size` pixels to `to` pixels, as MATLAB's `imresize`.

    With s = to/size, output pixel i sits at u = (i + ½)/s − ½. Its weights are h(u − j), h the kernel, or where s < 1
    s h(s (u − j)), which averages over 1/s times as many pixels (antialiasing); they are made to sum to 1. Beyond its
    ends the line is continued by reflection, the pixel at the end twice.
    """
    scale = to / size
    shrink = min(scale, 1.0)
    width = support / shrink
    centre = (np.arange(to) + 0.5) / scale - 0.5
    # Two pixels more than the support: rounding must not lose one. Their weights are 0.
    place = np.floor(centre - width / 2)[:, None] + np.arange(int(np.ceil(width)) + 2)
    values = shrink * kernel(shrink * (centre[:, None] - place))
    values /= values.sum(axis=1, keepdims=True)
    folded = np.mod(place, 2 * size).astype(int)
    folded = np.minimum(folded, 2 * size - 1 - folded)
    matrix = np.zeros((to, size))
    np.add.at(matrix, (np.arange(to)[:, None], folded), values)
    return matrix


@lru_cache(maxsize=16)
def _matrix(size: int, to: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(weights(size, to)).to(device=device, dtype=dtype)


@lru_cache(maxsize=16)
def _pseudo_inverse(size: int, to: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(np.linalg.pinv(weights(size, to))).to(device=device, dtype=dtype)


def resize(x: Tensor, height: int, width: int) -> Tensor:
    """Return x (…,H,W) resampled to (…,height,width) by `weights` in both directions: bicubic, antialiased."""
    rows = _matrix(x.shape[-2], height, x.dtype, x.device)
    columns = _matrix(x.shape[-1], width, x.dtype, x.device)
    return rows @ x @ columns.mT


@dataclass(frozen=True)
class BicubicReduction(Operator):
    """A x = R x Cᵀ, each channel, R and C the matrices of MATLAB's bicubic `imresize` to 1/s: y (N,C,H/s,W/s).

    The lift is R⁺ y C⁺ᵀ, the x of least norm with A x = y.

    Attributes:
        scale: s.
    """

    title: ClassVar[str] = "bicubic reduction"

    scale: int = 2

    def forward(self, x: Tensor) -> Tensor:
        whole_steps(x, self.scale)
        h, w = x.shape[-2:]
        return resize(x, h // self.scale, w // self.scale)

    def adjoint(self, y: Tensor) -> Tensor:
        h, w = y.shape[-2:]
        rows = _matrix(self.scale * h, h, y.dtype, y.device)
        return rows.mT @ y @ _matrix(self.scale * w, w, y.dtype, y.device)

    def lift(self, y: Tensor) -> Tensor:
        h, w = y.shape[-2:]
        rows = _pseudo_inverse(self.scale * h, h, y.dtype, y.device)
        return rows @ y @ _pseudo_inverse(self.scale * w, w, y.dtype, y.device).mT

    def image_shape(self, observed: Shape) -> Shape:
        return (*observed[:2], self.scale * observed[2], self.scale * observed[3])


BICUBIC_REDUCTION = Problem(BicubicReduction, Gaussian)
