"""Fourier-domain Wiener filter, spectrum estimated from the noisy image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._fourier import periodogram, wiener


@dataclass(frozen=True)
class FourierWiener(Method):
    """x̂ = F⁻¹[(1 − φ) ⊙ F y + φ ⊙ F μ], φ = σ²/(S + σ²): a stationary Gaussian prior N(μ, S).

    μ is the mean of y per channel and S = max(G ∗ P − σ², 0), with P = |F(y − μ)|² the periodogram averaged over the
    channels and G a periodic Gaussian over the frequencies, so that S does not follow the noise of single
    coefficients. φ is (N,1,H,W) in [0,1].

    Source: N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", MIT Press 1949; the
    spectrum by power subtraction, J. S. Lim, "Two-Dimensional Signal and Image Processing", Prentice Hall 1990,
    ch. 9.

    Args:
        bandwidth: standard deviation of G in frequency bins.
    """

    name: ClassVar[str] = "fourier-wiener"
    summary: ClassVar[str] = "Wiener filter in the Fourier domain, spectrum estimated from y"
    citation: ClassVar[str] = (
        "N. Wiener, Extrapolation, interpolation, and smoothing of stationary time series, MIT Press 1949"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    bandwidth: Annotated[float, Within(0, 1000)] = 3.0

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        sigma = noise_level(observation)
        mean = y.mean(dim=(2, 3), keepdim=True)
        power = smooth(periodogram(y, mean).mean(dim=1, keepdim=True), self.bandwidth)
        return wiener(y, mean, (power - sigma.square()[:, None, None, None]).clamp(min=0), sigma)


def smooth(spectrum: Tensor, bandwidth: float) -> Tensor:
    """Return a spectrum (N,C,H,W) convolved, periodically, with a Gaussian of `bandwidth` bins."""
    h, w = spectrum.shape[-2:]
    rows = torch.fft.fftfreq(h, dtype=spectrum.dtype, device=spectrum.device)[:, None]
    cols = torch.fft.rfftfreq(w, dtype=spectrum.dtype, device=spectrum.device)[None, :]
    gain = torch.exp(-2 * (math.pi * bandwidth) ** 2 * (rows.square() + cols.square()))
    return torch.fft.irfft2(torch.fft.rfft2(spectrum) * gain, s=(h, w)).clamp(min=0)
