"""Wiener deconvolution under the spectrum of natural images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from bigprior.domains import Fourier
from bigprior.fusion import Restoration
from datasets.blur import PERIODIC_DEBLURRING
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._blurred import blurred
from methods.classic.tikhonov import squared_gradient


@dataclass(frozen=True)
class WienerDeconvolution(Method):
    """E[x | y] for x ~ N(μ, S), S diagonal in the Fourier domain, and y = k ∗ x + σ n.

    S(ω) = a/|D|^p, the variance of a unitary Fourier coefficient, the same in all channels, with
    |D|² = 4 − 2 cos ω₁ − 2 cos ω₂; infinite at ω = 0, where μ, the mean of y, is known. In the Fourier domain

        φ = σ²/(|k̂|² S + σ²),   f = y/k̂,   g = μ,

    f (N,C,H,W), φ (N,1,H,W) in [0,1]. Where |k̂| ≤ 10⁻³, f = 0 and φ = 1. Without noise φ = 0 elsewhere, and x̂ is the
    inverse filter.

    Source: N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", MIT Press 1949. Power
    laws: D. J. Field, "Relations between the Statistics of Natural Images and the Response Properties of Cortical
    Cells", JOSA A 4(12), 1987; a and p are fitted to Berkeley training images.

    Args:
        scale: a, for images in [0,1].
        power: p.
    """

    name: ClassVar[str] = "wiener-deconvolution"
    summary: ClassVar[str] = "Wiener filter of a known blur, for images with a power law as spectrum"
    citation: ClassVar[str] = (
        "N. Wiener, Extrapolation, interpolation, and smoothing of stationary time series, MIT Press 1949"
    )
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    scale: Annotated[float, Within(1e-9, 1000)] = 0.01
    power: Annotated[float, Within(0.1, 10)] = 2.5

    def restore(self, observation: Observation) -> Restoration:
        seen = blurred(observation, self.name)
        y = observation.y
        noise = noise_level(observation).square()[:, None, None, None]
        mean = Fourier().analysis(y.mean(dim=(2, 3), keepdim=True).expand_as(y))
        return seen.fused(y, mean, noise * self.certainty(y))

    def certainty(self, like: Tensor) -> Tensor:
        """Return 1/S (H,W) for images like x."""
        return squared_gradient(like) ** (self.power / 2) / self.scale
