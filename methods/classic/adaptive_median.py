"""Adaptive median filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from scipy.ndimage import maximum_filter, median_filter, minimum_filter

from bigprior.fusion import Restoration
from datasets.counts import IMPULSES
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method


@dataclass(frozen=True)
class AdaptiveMedian(Method):
    """x̂_i = the median of the smallest window whose median is no impulse, where y_i itself is one; else y_i.

    A value is taken for an impulse if it is the least or the greatest of its window. Windows have sides 3, 5, …,
    `largest`; a pixel for which even the largest has an impulse for its median takes that median. Channels are apart,
    and windows see the image mirrored at its borders. φ (N,C,H,W) is 1 where the median was taken and 0 where y was
    kept; f = y.

    Args:
        largest: side of the largest window, in pixels.

    Source: H. Hwang and R. A. Haddad, "Adaptive Median Filters: New Algorithms and Results", IEEE Transactions on
    Image Processing 4(4), 1995: the ranked-order filter RAMF.
    """

    name: ClassVar[str] = "adaptive-median"
    summary: ClassVar[str] = "the median of a window that grows until it is no impulse, where the pixel is one"
    citation: ClassVar[str] = (
        "H. Hwang and R. A. Haddad, Adaptive Median Filters: New Algorithms and Results, IEEE Trans. Image Processing, "
        "1995"
    )
    problems: ClassVar[tuple[Problem, ...]] = (IMPULSES,)
    decoupled: ClassVar[bool] = True

    largest: Annotated[int, Within(3, 31, odd=True)] = 9

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y.cpu().numpy()
        middle = y.copy()
        good = np.zeros(y.shape, dtype=bool)
        open_ = np.ones(y.shape, dtype=bool)
        for side in range(3, self.largest + 1, 2):
            window = {"size": (1, 1, side, side), "mode": "mirror"}
            low, high = minimum_filter(y, **window), maximum_filter(y, **window)
            median = median_filter(y, **window)
            middle[open_] = median[open_]
            found = open_ & (low < median) & (median < high)
            good |= found & (low < y) & (y < high)
            open_ &= ~found
            if not open_.any():
                break
        phi = torch.from_numpy(~good).to(observation.y)
        return Restoration.fused(observation.y, torch.from_numpy(middle).to(observation.y), phi)
