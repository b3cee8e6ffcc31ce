"""Non-local means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._neighbours import Neighbours, Pair, average, compute, half_window
from methods.classic.kernels import WITHOUT, available, installed

NARROWEST, TINY = 0.25, 1e-9
"""The least a, in pixels, and the least h: keep the weights finite."""


@dataclass(frozen=True)
class NonLocalMeans(Method):
    """x̂_i = Σ_j w_ij y_j / Σ_j w_ij over a search window, w_ij = exp(−max(d²_ij − 2σ², 0)/h²) for j ≠ i.

    d²_ij is the squared distance of the patches around i and j, averaged over the channels and over the patch with a
    Gaussian kernel; patches see the image mirrored at its borders, the search window ends there. As a fusion:
    φ_i = 1 − w_ii/Σ_j w_ij, (N,1,H,W) in [0,1), and g_i the weighted mean of the others. φ = 0 at σ = 0.

    Source: A. Buades, B. Coll and J.-M. Morel, "A Non-Local Algorithm for Image Denoising", CVPR 2005 (Gaussian patch
    kernel, one weighted mean per pixel); the noise-corrected distance is from their IPOL article, 2011. Deviation: w_ii
    is a constant below 1 (1 would overrate the one pixel whose noise is in its own patch).

    Args:
        gray, colour: (a₀, a₁, h₀). The patch kernel has standard deviation a = min(a₀ + a₁ t, 3) pixels for t = 255 σ
            and is cut at ⌈2a⌉; h = h₀ a^(−3/4) σ, since a wider kernel has a less noisy distance.
        search: side of the search window.
        own: w_ii.
        patch: side of the patches in place of 2⌈2a⌉ + 1; then a = (patch − 1)/4. none: as σ asks.
    """

    name: ClassVar[str] = "nlm"
    summary: ClassVar[str] = "non-local means: pixels averaged by likeness of the patches around them"
    citation: ClassVar[str] = "A. Buades, B. Coll and J.-M. Morel, A non-local algorithm for image denoising, CVPR 2005"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    gray: Annotated[tuple[float, float, float], Within(0, 100)] = (0.8, 0.04, 1.2)
    colour: Annotated[tuple[float, float, float], Within(0, 100)] = (0.5, 0.027, 0.82)
    search: Annotated[int, Within(1, 255, odd=True)] = 13
    own: Annotated[float, Within(0.001, 1)] = 0.3
    patch: Annotated[int, Within(1, 63, odd=True)] | None = None

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else (WITHOUT,)

    def scales(self, sigma: float, channels: int) -> tuple[float, float]:
        """Return (a in pixels, h on the [0,1] scale) at σ on the [0,1] scale."""
        a0, a1, h0 = self.gray if channels == 1 else self.colour
        kernel = min(a0 + a1 * 255 * sigma, 3.0) if self.patch is None else (self.patch - 1) / 4
        kernel = max(kernel, NARROWEST)
        return kernel, max(h0 * kernel**-0.75 * sigma, TINY)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        priors, phis = [], []
        for image, sigma in zip(y, noise_level(observation).tolist(), strict=True):
            prior, phi = image[None], torch.zeros_like(image[None, :1])
            if sigma > 0:
                scales = self.scales(sigma, len(image))
                neighbours = non_local_means(prior, sigma, *scales, self.search, self.patch)
                prior, phi = neighbours.mean, neighbours.reliance(self.own)
            priors.append(prior)
            phis.append(phi)
        return Restoration.fused(y, torch.cat(priors), torch.cat(phis))


def non_local_means(
    y: Tensor, sigma: float, kernel: float, filtering: float, search: int, patch: int | None = None
) -> Neighbours:
    """Average y (N,C,H,W) with non-local weights.

    Args:
        sigma: σ ≥ 0 in units of y; 0 leaves the patch distance uncorrected.
        kernel: a > 0, the standard deviation of the Gaussian patch kernel in pixels.
        filtering: h > 0 in units of y.
        search: side of the search window, odd.
        patch: side of the patches, odd; None: 2⌈2a⌉ + 1. Less on images that are smaller.
    """
    radius = math.ceil(2 * kernel) if patch is None else patch // 2
    radius = min(radius, *(side - 1 for side in y.shape[-2:]))
    gaussian = [math.exp(-0.5 * (offset / kernel) ** 2) for offset in range(-radius, radius + 1)]
    taps = [tap / sum(gaussian) for tap in gaussian]
    offsets = half_window(y, search // 2)
    if available(y):
        from methods.classic.kernels.nlm import fits, non_local_sums

        if fits(offsets, radius):
            return compute(y, non_local_sums, sigma, filtering, taps[radius:], offsets)
    padded = pad(y, (radius,) * 4, mode="reflect")

    def patches(cut: Pair) -> Tensor:
        rows, cols = (slice(s.start, s.stop + 2 * radius) for s in cut)
        return padded[:, :, rows, cols]

    def weight(dy: int, dx: int, here: Pair, there: Pair) -> Tensor:
        squared = (patches(here) - patches(there)).square_().mean(dim=1, keepdim=True)
        distance = _filter(_filter(squared, taps, dim=2), taps, dim=3)
        return distance.sub_(2 * sigma**2).clamp_(min=0).mul_(-1 / filtering**2).exp_()

    return average(y, offsets, weight)


def _filter(image: Tensor, taps: list[float], dim: int) -> Tensor:
    """Correlate along one dimension, valid part; one thread does this three times as fast as `conv2d`."""
    length = image.shape[dim] - len(taps) + 1
    result = image.narrow(dim, 0, length) * taps[0]
    for start, tap in enumerate(taps[1:], 1):
        result.add_(image.narrow(dim, start, length), alpha=tap)
    return result
