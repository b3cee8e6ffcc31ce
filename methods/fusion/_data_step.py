"""The data step of plug and play, argmin_x ‖A x − y‖² + ρ‖x − z‖², exact for every linear operator of the suite.

In a domain in which AᵀA = diag(s²) it is a fusion with the weight of the design:

    x = (1 − φ) ⊙ f + φ ⊙ z,   φ = ρ/(s² + ρ),   f = A⁺y,

and φ = 1 where s ≤ 10⁻³, of which the data say nothing. Without noise ρ = 0: φ is 0 on the range of Aᵀ and 1 on the
null space of A, and A x = y.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bigprior.domains import Domain, Fourier, Pixel
from bigprior.eigenbases import Folded, LumaAxis, Separable
from bigprior.fusion import Restoration
from datasets.blur import SEEN, BlurDecimation, CroppedBlur, PeriodicBlur, filtered
from datasets.observation import Observation
from datasets.operators import LUMA, Luma, Masking, Operator, by_operator
from datasets.resize import BicubicReduction, resize, weights
from methods.classic._blurred import Blurred, blurred, on_all_frequencies
from methods.classic.harmonic import Harmonic


class DataStep(ABC):
    """The data step of one observation.

    Attributes:
        start: a first image (N,C,H,W), made of the data alone.
    """

    start: Tensor

    @abstractmethod
    def __call__(self, z: Tensor, rho: Tensor) -> Tensor:
        """Return argmin_x ‖A x − y‖² + ρ‖x − z‖² for z (N,C,H,W) and ρ > 0 (N,1,1,1)."""

    @abstractmethod
    def fused(self, z: Tensor, rho: Tensor) -> Restoration:
        """Return the same with f, g = z and φ; ρ may be 0."""


@dataclass(frozen=True, eq=False)
class Diagonal(DataStep):
    """The data step where AᵀA is diagonal in a domain.

    Attributes:
        domain: its basis is orthonormal.
        fidelity: A⁺y in the coordinates of the domain.
        power: s², broadcastable to them.
    """

    start: Tensor
    domain: Domain
    fidelity: Tensor
    power: Tensor

    def __call__(self, z: Tensor, rho: Tensor) -> Tensor:
        return self.fused(z, rho).image

    def fused(self, z: Tensor, rho: Tensor) -> Restoration:
        weight = rho.view(-1, *[1] * (self.power.ndim - 1))
        seen = self.power > SEEN**2
        phi = torch.where(seen, weight / (torch.where(seen, self.power, 1) + weight), 1)
        return Restoration.fused(self.fidelity, self.domain.analysis(z), phi, self.domain)


@dataclass(frozen=True, eq=False)
class Cropped(DataStep):
    """The data step of a blur seen without its border.

    AᵀA has no fast eigenbasis. The minimiser x comes from conjugate gradients; with w = y where y was seen and K x in
    the border, it is also argmin_x ‖K x − w‖² + ρ‖x − z‖², K the periodic blur: a fusion in the Fourier domain with
    f = w/k̂ and φ = ρ/(|k̂|² + ρ). ρ is at least 10⁻⁶: the border is not determined by the data.
    """

    start: Tensor
    seen: Blurred

    def __call__(self, z: Tensor, rho: Tensor) -> Tensor:
        return self.seen.solved(rho.clamp(min=SEEN**2), z, z)

    def fused(self, z: Tensor, rho: Tensor) -> Restoration:
        observed = self.seen.completed(self(z, rho))
        return self.seen.fused(observed, Fourier().analysis(z), rho.clamp(min=SEEN**2))


def _masking(observation: Observation) -> Diagonal:
    filled = Harmonic().restore(observation).image
    return Diagonal(filled, Pixel(), observation.fidelity, observation.mask)


def _luma(observation: Observation) -> Diagonal:
    y = observation.y
    length = math.hypot(*LUMA)
    nothing = y.new_zeros(1, 1, 1, 1)
    fidelity = torch.cat([y / length, nothing.expand(len(y), 2, *y.shape[-2:])], dim=1)
    power = y.new_tensor([length**2, 0, 0]).view(1, 3, 1, 1).expand_as(fidelity)
    return Diagonal(observation.fidelity, LumaAxis(), fidelity, power)


def _periodic(observation: Observation) -> Diagonal:
    y = observation.y
    gain = _whole(observation, y)
    power = gain.abs().square()
    inverse = torch.where(power > SEEN**2, gain.conj() / power.clamp(min=SEEN**2), 0)
    domain = Fourier()
    return Diagonal(y, domain, inverse * domain.analysis(y), power)


def _cropped(observation: Observation) -> Cropped:
    seen = blurred(observation, "the data step")
    return Cropped(seen.start(), seen)


def _decimated(observation: Observation) -> Diagonal:
    y, lifted = observation.y, observation.fidelity
    h, w = lifted.shape[-2:]
    scale = h // y.shape[-2]
    domain = Folded(_whole(observation, lifted), scale)
    # `resize` puts pixel i of y at s i + (s − 1)/2, the operator has it at s i.
    start = moved(resize(y, h, w), -(scale - 1) / 2)
    power = torch.zeros_like(domain.power).repeat(1, 1, scale**2, 1, 1)
    power[:, :, :1] = domain.power
    return Diagonal(start, domain, domain.analysis(lifted), power)


def _bicubic(observation: Observation) -> Diagonal:
    y, lifted = observation.y, observation.fidelity
    h, w = lifted.shape[-2:]
    (rows, down), (columns, across) = (
        _spectrum(n, to, y.dtype, y.device) for n, to in zip((h, w), y.shape[-2:], strict=True)
    )
    domain = Separable(rows, columns)
    return Diagonal(resize(y, h, w), domain, domain.analysis(lifted), (down[:, None] * across)[None, None])


STEPS: dict[type[Operator], Callable[[Observation], DataStep]] = {
    Masking: _masking,
    Luma: _luma,
    PeriodicBlur: _periodic,
    CroppedBlur: _cropped,
    BlurDecimation: _decimated,
    BicubicReduction: _bicubic,
}
"""Operator → its data step."""


def data_step(observation: Observation, who: str) -> DataStep:
    """Return the data step of an observation.

    Args:
        who: the row that asks, for the message.

    Raises:
        ValueError: an operator that is not in `STEPS`.
    """
    return by_operator(STEPS, observation.operator, who)(observation)


def _whole(observation: Observation, like: Tensor) -> Tensor:
    """Return k̂ (N,1,H,W) of a blur on all frequencies."""
    return on_all_frequencies(observation.operator.transfer(like), like)  # type: ignore[attr-defined]


def moved(x: Tensor, pixels: float) -> Tensor:
    """Return x (N,C,H,W) moved down and to the right by a number of pixels, on the torus, between its samples too."""
    h, w = x.shape[-2:]
    rows = torch.fft.fftfreq(h, dtype=x.dtype, device=x.device)[:, None]
    columns = torch.fft.rfftfreq(w, dtype=x.dtype, device=x.device)
    turn = -2 * math.pi * pixels * (rows + columns)
    return filtered(x, torch.polar(torch.ones_like(turn), turn))


@lru_cache(maxsize=16)
def _spectrum(size: int, to: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the eigenvectors (size,size) and eigenvalues (size,) of RᵀR, R the reduction of a line to `to` pixels."""
    _, singular, right = np.linalg.svd(weights(size, to))
    values = np.zeros(size)
    values[:to] = singular**2
    basis, squared = (torch.from_numpy(each).to(device=device, dtype=dtype) for each in (right.T.copy(), values))
    return basis, squared
