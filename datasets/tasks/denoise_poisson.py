"""Few photons, and the noise of reading them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from datasets.counts import COUNTING, PoissonGaussian
from datasets.observation import Observation, Truth
from datasets.operators import Identity
from datasets.spec import Within, check_ranges
from datasets.task import Key, Problem, Task


@dataclass(frozen=True)
class DenoisePoisson(Task):
    """y = p/peak + σ n, p ~ Poisson(peak · x), n ~ N(0, I), not clipped; peak and σ are known.

    Args:
        peak: the expected count where x = 1.
        sigma: σ of the read-out on the 0–255 scale.
    """

    name: ClassVar[str] = "denoise-poisson"
    summary: ClassVar[str] = "Poisson–Gaussian noise of a known gain"
    problem: ClassVar[Problem] = COUNTING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")
    level: ClassVar[str] = "peak"
    level_title: ClassVar[str] = "expected count at white"
    examples: ClassVar[tuple[str, ...]] = ("denoise-poisson[peak=4,sigma=5]",)

    peak: Annotated[float, Within(0.01, 1e6)] = 30.0
    sigma: Annotated[float, Within(0, 255)] = 0.0

    def __post_init__(self) -> None:
        check_ranges(self)

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        x = clean.unsqueeze(0)
        noise = PoissonGaussian(*(torch.tensor([v], dtype=x.dtype) for v in (1 / self.peak, self.sigma / 255)))
        return Observation(noise.sample(x, self.random(key)), Identity(), noise, Truth(x, noise))

    def level_of(self, truth: Truth) -> float:
        return self.peak
