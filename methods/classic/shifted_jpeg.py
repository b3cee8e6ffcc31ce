"""Deblocking by JPEG itself, applied to shifted images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import pad

from bigprior.fusion import Restoration
from datasets.compression import DEBLOCKING
from datasets.observation import Observation
from datasets.task import Problem
from methods.base import Method
from methods.classic._cells import SIDE, jpeg

SHIFTS = [(down, across) for down in range(SIDE) for across in range(SIDE) if (down, across) != (0, 0)]


@dataclass(frozen=True)
class ShiftedJpeg(Method):
    """x̂ = (y + Σ_s S⁻¹ J(S y))/64: JPEG of the same quality applied to y at the 63 other places of its block grid.

    J is the compression, S moves the image by 0 to 7 pixels down and to the right, the first row and column repeated.
    What the blocks of y invented no other grid repeats, and averaging removes it. As a fusion, in the pixel domain:
    f = y, g = the mean of the 63 images, φ = 63/64 everywhere, like the φ of non-local means with equal weights.

    Source: A. Nosratinia, "Denoising of JPEG Images by Re-Application of JPEG", Journal of VLSI Signal Processing
    27(1), 2001. Deviation: the image at its own place counts as y itself, which J changes by no more than rounding;
    all weights are equal.
    """

    name: ClassVar[str] = "shifted-jpeg"
    summary: ClassVar[str] = "the mean of JPEGs of the image at every place of the block grid"
    citation: ClassVar[str] = (
        "A. Nosratinia, Denoising of JPEG Images by Re-Application of JPEG, Journal of VLSI Signal Processing, 2001"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DEBLOCKING,)
    decoupled: ClassVar[bool] = True

    def restore(self, observation: Observation) -> Restoration:
        y, operator = observation.y, jpeg(observation)
        total = torch.zeros_like(y)
        for down, across in SHIFTS:
            moved = pad(y, (across, 0, down, 0), mode="replicate")
            total += operator.forward(moved)[..., down:, across:]
        phi = torch.full_like(y[:, :1], len(SHIFTS) / (len(SHIFTS) + 1))
        return Restoration.fused(y, total / len(SHIFTS), phi)
