"""Local Wiener filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level


@dataclass(frozen=True)
class LocalWiener(Method):
    """x̂ = (1 − φ) ⊙ y + φ ⊙ m with φ = σ²/max(v, σ²), per pixel and channel.

    m and v are the mean and the variance (divided by the number of pixels) of y in a square window, which sees the
    image mirrored at its borders, the border pixel not repeated. φ is (N,C,H,W) in [0,1]: 1 where the window varies
    no more than the noise, 0 everywhere if σ = 0. Inside the image this is `scipy.signal.wiener(y, size, σ²)`; at the
    borders that routine pads with zeros.

    Source: J.-S. Lee, "Digital image enhancement and noise filtering by use of local statistics", IEEE TPAMI 2(2),
    1980, with the noise variance for his additive case. Deviation: the side of the window grows with σ.

    Args:
        steps: σ on the 0–255 scale at which the side becomes 5 and 7; it is 3 below.
    """

    name: ClassVar[str] = "local-wiener"
    summary: ClassVar[str] = "Wiener filter with the mean and variance of a sliding window"
    citation: ClassVar[str] = (
        "J.-S. Lee, Digital image enhancement and noise filtering by use of local statistics, IEEE TPAMI 1980"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    steps: Annotated[tuple[float, float], Within(0)] = (8.0, 30.0)

    def size(self, sigma: float) -> int:
        """Return the side of the window at σ on the [0,1] scale."""
        return 3 + 2 * sum(255 * sigma >= step for step in self.steps)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        sigma = noise_level(observation)
        moments = [local_moments(image[None], self.size(float(s))) for image, s in zip(y, sigma, strict=True)]
        mean, variance = (torch.cat(moment) for moment in zip(*moments, strict=True))
        noise = sigma.square()[:, None, None, None]
        # The floor only decides 0/0, a flat window without noise, where φ = 0.
        phi = noise / torch.maximum(variance, noise).clamp(min=torch.finfo(y.dtype).tiny)
        return Restoration.fused(y, mean, phi)


def local_moments(y: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the mean and the population variance of y (N,C,H,W) in a window of odd side `size`, mirrored borders."""
    # Around the image mean, so that E[y²] − E[y]² does not cancel in single precision.
    centre = y.mean(dim=(2, 3), keepdim=True)
    padded = pad(y - centre, (size // 2,) * 4, mode="reflect")
    mean = avg_pool2d(padded, size, stride=1)
    variance = avg_pool2d(padded.square(), size, stride=1) - mean.square()
    return mean + centre, variance.clamp_(min=0)
