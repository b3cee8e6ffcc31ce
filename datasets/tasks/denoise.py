"""Additive white Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation, Truth
from datasets.operators import Identity
from datasets.task import DENOISING, Key, Problem, Task

SIGMA_MAX = 255.0


@dataclass(frozen=True)
class Denoise(Task):
    """y = x + σ n, n ~ N(0, I), not clipped.

    Args:
        sigma: on the 0–255 scale, "25": known and fixed; "A:B": blind, an integer drawn uniformly from A..B per
            image (both ends included) and hidden from the methods, as in the BIGPrior paper (5:50).
    """

    name: ClassVar[str] = "denoise"
    summary: ClassVar[str] = "additive white Gaussian noise, known σ or blind"
    problem: ClassVar[Problem] = DENOISING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")
    level: ClassVar[str] = "sigma"
    level_title: ClassVar[str] = "noise standard deviation σ, 0–255 scale"
    examples: ClassVar[tuple[str, ...]] = ("denoise[sigma=5:50]",)

    sigma: str = "25"

    def __post_init__(self) -> None:
        low, high = self.range
        blind = self.blind
        if not (0 <= low <= high <= SIGMA_MAX) or (blind and (low % 1 or high % 1)):
            raise SuiteError(
                f"sigma '{self.sigma}' is out of range: give one number from 0 to 255 (25), "
                "or two integers A:B for a blind range (5:50)."
            )
        ends = dict.fromkeys((low, high)) if not blind else (low, high)
        object.__setattr__(self, "sigma", ":".join(np.format_float_positional(end, trim="-") for end in ends))

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest σ; NaN where the text is no number."""
        parts = str(self.sigma).split(":")
        try:
            return (float(parts[0]), float(parts[-1])) if len(parts) <= 2 else (np.nan, np.nan)
        except ValueError:
            return np.nan, np.nan

    @property
    def blind(self) -> bool:
        return ":" in str(self.sigma)

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        random = self.random(key)
        low, high = self.range
        level = float(random.randint(int(low), int(high) + 1)) if self.blind else low
        x = clean.unsqueeze(0)
        noise = Gaussian(torch.tensor([level / 255.0], dtype=x.dtype))
        return Observation(noise.sample(x, random), Identity(), None if self.blind else noise, Truth(x, noise))

    def level_of(self, truth: Truth) -> float | None:
        return None if truth.sigma is None else round(float(truth.sigma) * 255, 4)
