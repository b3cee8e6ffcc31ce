"""What the super-resolution rows share: the singular values of a reduction, its range and null space, enlargement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bigprior.domains import Domain
from bigprior.fusion import Restoration
from datasets.blur import SEEN, BlurDecimation
from datasets.observation import Observation
from datasets.operators import Operator, by_operator
from datasets.resize import BicubicReduction, cubic, lanczos, weights

Floats = NDArray[np.float64]
KERNELS: dict[str, tuple[Callable[[Floats], Floats], float]] = {"bicubic": (cubic, 4), "lanczos": (lanczos, 6)}
"""An interpolation's kernel, and how many pixels of y it spans."""


class Singular(ABC):
    """A = U diag(s) Vᵀ of a reduction A from H×W to h×w pixels: U (hw,hw) and V (HW,hw) with orthonormal columns.

    The columns of V span the range of Aᵀ, what y says of x; what is orthogonal to them is the null space of A.
    Coordinates are (N,C,h,w), one for each pixel of y.

    Attributes:
        values: s ≥ 0 (N or 1,1,h,w); 0 where A is so weak that it counts as blind.
    """

    values: Tensor

    @abstractmethod
    def of_data(self, y: Tensor) -> Tensor:
        """Return Uᵀ y."""

    @abstractmethod
    def of_image(self, x: Tensor) -> Tensor:
        """Return Vᵀ x."""

    @abstractmethod
    def to_image(self, coefficients: Tensor) -> Tensor:
        """Return V c (N,C,H,W)."""

    def data_step(self, y: Tensor, g: Tensor, ratio: Tensor) -> Tensor:
        """Return argmin_x ‖A x − y‖² + ε ‖x − g‖²; for ε = 0 the x nearest to g with A x = y.

        Args:
            y: (N,C,h,w).
            g: (N,C,H,W).
            ratio: ε ≥ 0 (N,1,1,1).
        """
        there = self.of_image(g)
        data = torch.where(self.values > 0, self.of_data(y) / self.values.clamp(min=SEEN), 0)
        return g + self.to_image((1 - self.reliance(ratio)) * (data - there))

    def reliance(self, ratio: Tensor) -> Tensor:
        """Return φ = ε/(s² + ε) (N,1,h,w), 1 where s = 0."""
        return torch.where(self.values > 0, ratio / (self.values.square() + ratio).clamp(min=SEEN**2), 1)


class _Bicubic(Singular):
    """Of rows and columns apart: each of their two matrices has its own singular values."""

    def __init__(self, operator: BicubicReduction, y: Tensor) -> None:
        (left, s, right), (top, t, bottom) = (
            _decomposed(operator.scale * side, side, y.dtype, y.device) for side in y.shape[-2:]
        )
        self._left, self._right, self._top, self._bottom = left, right, top, bottom
        self.values = torch.outer(s, t)[None, None]

    def of_data(self, y: Tensor) -> Tensor:
        return self._left.mT @ y @ self._top

    def of_image(self, x: Tensor) -> Tensor:
        return self._right @ x @ self._bottom.mT

    def to_image(self, coefficients: Tensor) -> Tensor:
        return self._right.mT @ coefficients @ self._bottom


@lru_cache(maxsize=16)
def _decomposed(size: int, to: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return U (to,to), s (to) and Vᵀ (to,size) of the matrix that reduces `size` pixels to `to`."""
    found = np.linalg.svd(weights(size, to), full_matrices=False)
    u, s, v = (torch.from_numpy(np.ascontiguousarray(part)).to(device=device, dtype=dtype) for part in found)
    return u, s, v


class _Decimated(Singular):
    """U is the Hartley transform, the real one that shares its eigenspaces with Fourier's; V = Aᵀ U diag(1/s)."""

    def __init__(self, operator: BlurDecimation, y: Tensor) -> None:
        self._operator = operator
        # The same numbers at all h×w frequencies, not at those of a half plane alone.
        correlation = torch.fft.irfft2(operator.folded(y), s=y.shape[-2:])
        power = torch.fft.fft2(correlation).real.clamp(min=0)
        self.values = torch.where(power > SEEN**2, power, 0).sqrt()

    def of_data(self, y: Tensor) -> Tensor:
        transformed = torch.fft.fft2(y, norm="ortho")
        return transformed.real - transformed.imag

    def of_image(self, x: Tensor) -> Tensor:
        return self._over(self.of_data(self._operator.forward(x)))

    def to_image(self, coefficients: Tensor) -> Tensor:
        # The Hartley transform is its own inverse.
        return self._operator.adjoint(self.of_data(self._over(coefficients)))

    def _over(self, coefficients: Tensor) -> Tensor:
        return torch.where(self.values > 0, coefficients / self.values.clamp(min=SEEN), 0)


_SINGULAR: dict[type[Operator], Callable[..., Singular]] = {BicubicReduction: _Bicubic, BlurDecimation: _Decimated}


def singular(observation: Observation, who: str) -> Singular:
    """Return the singular value decomposition of the operator of an observation.

    Args:
        who: the method that asks, for the message.

    Raises:
        ValueError: the operator is no reduction that is known here.
    """
    return by_operator(_SINGULAR, observation.operator, who)(observation.operator, observation.y)


class RangeAndNull(Domain):
    """What the data say of x, c = Vᵀ x on the grid of y, and beside it what they do not, n = x − V c.

    Coordinates are (N,C,hw + HW), c and n row by row. In the mean reliance c counts hw times and n HW − hw times, the
    dimensions of the two spaces; the few directions with s = 0 are among the first. There is no φ per pixel.
    """

    name: ClassVar[str] = "range and null space"

    def __init__(self, parts: Singular, small: tuple[int, int], large: tuple[int, int]) -> None:
        self._parts, self._small, self._large = parts, small, large

    def analysis(self, image: Tensor) -> Tensor:
        seen = self._parts.of_image(image)
        return self.joined(seen, image - self._parts.to_image(seen))

    def synthesis(self, coefficients: Tensor) -> Tensor:
        seen, rest = self._parted(coefficients)
        return self._parts.to_image(seen.unflatten(-1, self._small)) + rest.unflatten(-1, self._large)

    def joined(self, seen: Tensor, rest: Tensor) -> Tensor:
        """Return the coordinates of c (N,C,h,w) and n (N,C,H,W)."""
        return torch.cat([seen.flatten(2), rest.flatten(2)], dim=2)

    def mean(self, phi: Tensor) -> Tensor:
        seen, rest = self._parted(phi)
        known, pixels = seen.shape[-1], rest.shape[-1]
        share = known / pixels
        return share * seen.flatten(1).mean(dim=1) + (1 - share) * rest.flatten(1).mean(dim=1)

    def _parted(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        known = self._small[0] * self._small[1]
        return coefficients[..., :known], coefficients[..., known:]


def fused(observation: Observation, parts: Singular, prior: Tensor, reliance: Tensor) -> Restoration:
    """Return the fusion of the data with g, φ as given on the range (N,1,h,w) and 1 on the null space.

    Args:
        prior: g (N,C,H,W).
    """
    y = observation.y
    domain = RangeAndNull(parts, (y.shape[-2], y.shape[-1]), (prior.shape[-2], prior.shape[-1]))
    data = torch.where(parts.values > 0, parts.of_data(y) / parts.values.clamp(min=SEEN), 0)
    f = domain.joined(data, torch.zeros_like(prior))
    phi = domain.joined(reliance.expand(len(y), -1, -1, -1), torch.ones_like(prior[:, :1]))
    return Restoration.fused(f, domain.analysis(prior), phi, domain)


def enlarged(observation: Observation, kernel: str, who: str) -> Tensor:
    """Return y interpolated to the grid of x, its pixels where the operator put them.

    After the bicubic reduction the pixels of y lie in the middle of s×s pixels of x and the image is continued by
    reflection: MATLAB's `imresize`. After blur and decimation they lie on pixels 0, s, … and the image is periodic.

    Args:
        kernel: of `KERNELS`.
        who: the method that asks, for the message.
    """
    y = observation.y
    matrix = by_operator(_ENLARGING, observation.operator, who)
    scale = observation.operator.image_shape(y.shape)[-2] // y.shape[-2]
    rows, columns = (torch.from_numpy(matrix(side, scale, kernel)).to(y) for side in y.shape[-2:])
    return rows @ y @ columns.mT


def _centred(size: int, scale: int, kernel: str) -> Floats:
    return weights(size, scale * size, *KERNELS[kernel])


def _periodic(size: int, scale: int, kernel: str) -> Floats:
    """Return the matrix (scale·size, size) that interpolates a periodic line at 0, 1/scale, 2/scale, …"""
    shape, support = KERNELS[kernel]
    u = np.arange(scale * size) / scale
    place = np.floor(u - support / 2)[:, None] + np.arange(int(support) + 2)
    values = shape(u[:, None] - place)
    values /= values.sum(axis=1, keepdims=True)
    matrix = np.zeros((scale * size, size))
    np.add.at(matrix, (np.arange(scale * size)[:, None], np.mod(place, size).astype(int)), values)
    return matrix


_ENLARGING: dict[type[Operator], Callable[[int, int, str], Floats]] = {
    BicubicReduction: _centred,
    BlurDecimation: _periodic,
}
