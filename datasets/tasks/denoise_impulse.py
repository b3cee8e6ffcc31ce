"""Pixels that are lost to black or to white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from datasets.counts import IMPULSES, SaltAndPepper
from datasets.observation import Observation, Truth
from datasets.operators import Identity
from datasets.spec import Within, check_ranges
from datasets.task import Key, Problem, Task


@dataclass(frozen=True)
class DenoiseImpulse(Task):
    """y_i = x_i, or with probability p 0 or 1, both equally likely; each channel for itself. p is known.

    Args:
        share: p.
    """

    name: ClassVar[str] = "denoise-impulse"
    summary: ClassVar[str] = "salt and pepper noise"
    problem: ClassVar[Problem] = IMPULSES
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")
    level: ClassVar[str] = "share"
    level_title: ClassVar[str] = "share of lost values"
    examples: ClassVar[tuple[str, ...]] = ("denoise-impulse[share=0.6]",)

    share: Annotated[float, Within(0, 1)] = 0.3

    def __post_init__(self) -> None:
        check_ranges(self)

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        x = clean.unsqueeze(0)
        noise = SaltAndPepper(torch.tensor([self.share], dtype=x.dtype))
        return Observation(noise.sample(x, self.random(key)), Identity(), noise, Truth(x, noise))

    def level_of(self, truth: Truth) -> float:
        return self.share
