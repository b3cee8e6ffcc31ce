"""The observation itself: the floor of every table whose observations are as large as the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.blur import PERIODIC_DEBLURRING, PeriodicBlur
from datasets.compression import DEBLOCKING, Jpeg
from datasets.counts import COUNTING, IMPULSES
from datasets.observation import Observation
from datasets.operators import Identity, Operator, by_operator
from datasets.task import Problem
from methods.base import Method

_KNOWN: dict[type[Operator], bool] = {PeriodicBlur: True, Jpeg: True, Identity: True}
"""Operators whose observations are on the grid of x."""


@dataclass(frozen=True)
class Observed(Method):
    """x̂ = y: all data and no prior, φ = 0 and f = y (the prior image, which has no weight, is 0).

    For a blur f is y as it is, not the lift, which would divide by the blur and be mostly noise. The noisy image of the
    task `denoise` is the row `noisy`.
    """

    name: ClassVar[str] = "observed"
    summary: ClassVar[str] = "the observation, untouched"
    citation: ClassVar[str] = "no source: the data as they are"
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING, DEBLOCKING, COUNTING, IMPULSES)
    decoupled: ClassVar[bool] = True

    def restore(self, observation: Observation) -> Restoration:
        by_operator(_KNOWN, observation.operator, self.name)
        y = observation.y
        return Restoration.fused(y, torch.zeros_like(y), torch.zeros_like(y[:, :1]))
