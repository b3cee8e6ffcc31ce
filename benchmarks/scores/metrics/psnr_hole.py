"""Peak signal-to-noise ratio inside the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.scores.metric import Metric, image_sum, levels
from benchmarks.scores.metrics.psnr import decibel


@dataclass(frozen=True)
class HolePSNR(Metric):
    """PSNR with the mean over the pixels that were not observed, all channels. NaN if there are none."""

    name: ClassVar[str] = "psnr_hole"
    title: ClassVar[str] = "hole PSNR"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 2
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @property
    def signature(self) -> str:
        return "psnr|rgb|u8|hole"

    def prepare(self, reference: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return levels(reference), mask == 0

    def score(self, prepared: tuple[Tensor, Tensor], image: Tensor) -> Tensor:
        reference, hole = prepared
        squares = (levels(image) - reference).square()
        inside = image_sum(torch.where(hole, squares, 0))
        return decibel(inside / (hole.flatten(1).sum(dim=1) * image.shape[1]))
