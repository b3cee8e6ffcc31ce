"""Salt and pepper taken for holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.counts import IMPULSES
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import Masking
from datasets.task import INPAINTING, Problem, Task
from datasets.tasks.inpaint_random import InpaintRandom
from methods.base import Method
from methods.nested import Nested, inner


@dataclass(frozen=True)
class ImpulseFilling(Nested):
    """x̂_i = y_i where 0 < y_i < 1, and a fill where y_i is 0 or 1: φ (N,C,H,W) is 1 there and 0 elsewhere, f = y.

    Impulses are exactly 0 or 1, so nothing that was hit is missed; what is black or white in x itself is filled too.
    Every channel has holes of its own, and is filled as a gray image.

    Args:
        filler: a row that inpaints, such as `harmonic`.

    Source: R. H. Chan, C.-W. Ho and M. Nikolova, "Salt-and-Pepper Noise Removal by Median-Type Noise Detectors and
    Detail-Preserving Regularization", IEEE Transactions on Image Processing 14(10), 2005, for detecting first and
    restoring only what was detected. Deviations: the detector is the value itself, and the fill any.

    Raises:
        ValueError: `filler` is no row that inpaints; (from `restore`) a channel of an image has nothing left.
    """

    name: ClassVar[str] = "impulse-filling"
    summary: ClassVar[str] = "black and white pixels taken for holes, and filled"
    citation: ClassVar[str] = (
        "R. H. Chan, C.-W. Ho and M. Nikolova, Salt-and-Pepper Noise Removal by Median-Type Noise Detectors and "
        "Detail-Preserving Regularization, IEEE Trans. Image Processing, 2005"
    )
    problems: ClassVar[tuple[Problem, ...]] = (IMPULSES,)
    decoupled: ClassVar[bool] = True

    filler: str = "biharmonic"

    @property
    def row(self) -> Method:
        """The filler."""
        return inner(self.filler, INPAINTING, "filler")

    def supports(self, task: Task) -> str | None:
        return super().supports(task) or self.row.supports(InpaintRandom())

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        gray = y.reshape(-1, 1, *y.shape[-2:])
        lost = (gray <= 0) | (gray >= 1)
        mask = (~lost).to(y.dtype)
        filled = self.row.restore(Observation(gray * mask, Masking(mask), NoNoise())).image
        prior = torch.where(lost, filled, gray).view_as(y)
        return Restoration.fused(y, prior, lost.to(y.dtype).view_as(y))
