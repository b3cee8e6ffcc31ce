"""Peak signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.metrics.base import Metric, image_mean, levels


@dataclass(frozen=True)
class PSNR(Metric):
    """10 log₁₀(255² / MSE), MSE over all pixels and channels of the 8-bit images. +inf where they are equal.

    A table's mean is the mean over images of these values, not the PSNR of the mean MSE.
    """

    name: ClassVar[str] = "psnr"
    title: ClassVar[str] = "PSNR"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 2
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @property
    def signature(self) -> str:
        return "psnr|rgb|u8|crop0"

    def prepare(self, reference: Tensor, mask: Tensor) -> Tensor:
        return levels(reference)

    def score(self, prepared: Tensor, image: Tensor) -> Tensor:
        return decibel(image_mean((levels(image) - prepared).square()))


def decibel(mse: Tensor) -> Tensor:
    """Return the PSNR that belongs to a mean squared error on the scale 0 to 255; +inf for 0."""
    return 10 * torch.log10(255**2 / mse)
