"""Bilateral filter."""

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
from methods.classic._neighbours import Neighbours, Pair, average, compute, half_window
from methods.classic.kernels import WITHOUT, available, installed

Scales = Annotated[tuple[float, float, float, float], Within(0, 100)]
TINY = 1e-6
"""The least scale: keeps the weights finite."""
REACH = 2.5
"""Radius of the window in units of s."""


@dataclass(frozen=True)
class Bilateral(Method):
    """x̂_i = Σ_j w_ij y_j / Σ_j w_ij, w_ij = exp(−|i − j|²/2s² − ‖y_i − y_j‖²/2r²), over a disc around i.

    As a fusion: φ_i = 1 − w_ii/Σ_j w_ij with w_ii = 1, and g_i the weighted mean of the others. ‖y_i − y_j‖ is the sum
    of the absolute differences of all channels, so that a pixel has one φ, (N,1,H,W) in [0,1). The disc has radius
    2.5 s, at least 1 pixel, and ends at the borders of the image. φ = 0 at σ = 0.

    Source: C. Tomasi and R. Manduchi, "Bilateral Filtering for Gray and Color Images", ICCV 1998. Deviation: the
    colour distance is the sum over R, G and B, as in OpenCV, and not CIE-Lab's.

    Args:
        gray, colour: (s₀, s₁, r₀, r₁) with s = s₀ + s₁ t pixels and r = (r₀ + r₁ t) σ √C for t = 255 σ and C channels.
    """

    name: ClassVar[str] = "bilateral"
    summary: ClassVar[str] = "bilateral filter: pixels averaged by distance in place and in colour"
    citation: ClassVar[str] = "C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images, ICCV 1998"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    gray: Scales = (0.95, 0.015, 2.03, 0.033)
    colour: Scales = (1.82, 0.006, 2.01, 0.016)

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else (WITHOUT,)

    def scales(self, sigma: float, channels: int) -> tuple[float, float]:
        """Return (s in pixels, r on the [0,1] scale) at σ on the [0,1] scale."""
        s0, s1, r0, r1 = self.gray if channels == 1 else self.colour
        return s0 + s1 * 255 * sigma, (r0 + r1 * 255 * sigma) * sigma * math.sqrt(channels)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        priors, phis = [], []
        for image, sigma in zip(y, noise_level(observation).tolist(), strict=True):
            prior, phi = image[None], torch.zeros_like(image[None, :1])
            if sigma > 0:
                neighbours = bilateral(prior, *self.scales(sigma, len(image)))
                prior, phi = neighbours.mean, neighbours.reliance(1.0)
            priors.append(prior)
            phis.append(phi)
        return Restoration.fused(y, torch.cat(priors), torch.cat(phis))


def bilateral(y: Tensor, spatial: float, colour: float, radius: float | None = None) -> Neighbours:
    """Average y (N,C,H,W) with bilateral weights: s = `spatial` ≥ 0 in pixels, r = `colour` ≥ 0 in units of y.

    The window is a disc of radius 2.5 s, at least 1, unless another radius is given.
    """
    spatial, colour = max(spatial, TINY), max(colour, TINY)
    reach = max(REACH * spatial, 1) if radius is None else radius
    offsets = half_window(y, math.floor(reach), reach)
    if available(y):
        from methods.classic.kernels.bilateral import bilateral_sums, fits

        if fits(offsets):
            return compute(y, bilateral_sums, spatial, colour, offsets)

    def weight(dy: int, dx: int, here: Pair, there: Pair) -> Tensor:
        apart = (y[:, :, *here] - y[:, :, *there]).abs_().sum(dim=1, keepdim=True)
        return apart.square_().mul_(-0.5 / colour**2).sub_(0.5 * (dy * dy + dx * dx) / spatial**2).exp_()

    return average(y, offsets, weight)
