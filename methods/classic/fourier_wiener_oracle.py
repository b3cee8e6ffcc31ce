"""Fourier-domain Wiener filter that is told the spectrum of the clean image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._fourier import periodogram, wiener


@dataclass(frozen=True)
class FourierWienerOracle(Method):
    """x̂ = F⁻¹[(1 − φ) ⊙ F y + φ ⊙ F μ], φ = σ²/(S + σ²), with μ the mean of the clean image x and S = |F(x − μ)|².

    Of all filters that weigh each Fourier coefficient by a number in [0,1], this has the least expected squared error:
    an upper bound for `fourier-wiener`. φ is (N,C,H,W).

    Source: N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", MIT Press 1949.

    Raises:
        ValueError: the observation does not carry the clean image.
    """

    name: ClassVar[str] = "fourier-wiener-oracle"
    summary: ClassVar[str] = "Wiener filter in the Fourier domain, spectrum of the clean image"
    citation: ClassVar[str] = (
        "N. Wiener, Extrapolation, interpolation, and smoothing of stationary time series, MIT Press 1949"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    oracle: ClassVar[bool] = True

    def restore(self, observation: Observation) -> Restoration:
        if observation.truth is None:
            raise ValueError("the oracle needs the clean image, which this observation does not carry")
        clean = observation.truth.clean
        mean = clean.mean(dim=(2, 3), keepdim=True)
        return wiener(observation.y, mean, periodogram(clean, mean), noise_level(observation))
