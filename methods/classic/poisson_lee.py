"""Local Wiener filter for counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.counts import COUNTING
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method
from methods.classic._counting import law
from methods.classic.local_wiener import local_moments


@dataclass(frozen=True)
class PoissonLee(Method):
    """x̂ = (1 − φ) ⊙ y + φ ⊙ m with φ = n/max(v, n), n = a m + σ² the variance of the noise at the local mean m.

    m and v are the mean and the variance of y in a square window, which sees the image mirrored at its borders.
    φ is (N,C,H,W) in [0,1]: 1 where the window varies no more than counts of that mean do. The local Wiener filter
    (`local-wiener`) with the noise of each pixel in place of one σ; a negative m counts as 0 in n.

    Args:
        side: of the window, in pixels.

    Source: D. T. Kuan, A. A. Sawchuk, T. C. Strand and P. Chavel, "Adaptive Noise Smoothing Filter for Images with
    Signal-Dependent Noise", IEEE TPAMI 7(2), 1985; J.-S. Lee, IEEE TPAMI 2(2), 1980. Deviation: the variance of y less
    that of the noise, floored at 0, stands for the variance of x, as in the latter.
    """

    name: ClassVar[str] = "poisson-lee"
    summary: ClassVar[str] = "Wiener filter of a sliding window, with the noise variance of its mean count"
    citation: ClassVar[str] = (
        "D. T. Kuan, A. A. Sawchuk, T. C. Strand and P. Chavel, Adaptive Noise Smoothing Filter for Images with "
        "Signal-Dependent Noise, IEEE TPAMI, 1985"
    )
    problems: ClassVar[tuple[Problem, ...]] = (COUNTING,)
    decoupled: ClassVar[bool] = True

    side: Annotated[int, Within(3, 31, odd=True)] = 7

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        mean, variance = local_moments(y, self.side)
        noise = law(observation).variance(mean)
        # The floor only decides 0/0, a black window without read-out noise, where y is the mean.
        phi = noise / torch.maximum(variance, noise).clamp(min=torch.finfo(y.dtype).tiny)
        return Restoration.fused(y, mean, phi)
