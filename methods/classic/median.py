"""Median filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from scipy.ndimage import median_filter

from bigprior.fusion import Restoration
from datasets.counts import IMPULSES
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method


@dataclass(frozen=True)
class Median(Method):
    """x̂ = g, the median of y over a square window, each channel for itself: φ = 1 everywhere, f = y.

    The window sees the image mirrored at its borders. Good pixels are replaced like bad ones, which φ says.

    Args:
        side: of the window, in pixels.

    Source: J. W. Tukey, "Exploratory Data Analysis", Addison-Wesley, 1977 (running medians, 1971).
    """

    name: ClassVar[str] = "median"
    summary: ClassVar[str] = "the median of a square window"
    citation: ClassVar[str] = "J. W. Tukey, Exploratory Data Analysis, Addison-Wesley, 1977"
    problems: ClassVar[tuple[Problem, ...]] = (IMPULSES,)
    decoupled: ClassVar[bool] = True

    side: Annotated[int, Within(1, 31, odd=True)] = 5

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        middle = median_filter(y.cpu().numpy(), size=(1, 1, self.side, self.side), mode="mirror")
        return Restoration.fused(y, torch.from_numpy(middle).to(y), torch.ones_like(y[:, :1]))
