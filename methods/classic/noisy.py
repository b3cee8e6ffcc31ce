"""The noisy image itself: the floor of every denoising table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.task import DENOISING, Problem
from methods.base import Method


@dataclass(frozen=True)
class Noisy(Method):
    """x̂ = y: all data and no prior, φ = 0 (the prior image, which has no weight, is 0)."""

    name: ClassVar[str] = "noisy"
    summary: ClassVar[str] = "the noisy image, untouched"
    citation: ClassVar[str] = "no source: the data as they are"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        return Restoration.fused(y, torch.zeros_like(y), torch.zeros_like(y[:, :1]))
