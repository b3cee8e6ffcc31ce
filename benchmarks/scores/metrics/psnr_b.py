"""Peak signal-to-noise ratio that also counts the steps at the borders of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.scores.metric import Metric, image_mean, image_sum, levels
from benchmarks.scores.metrics.psnr import decibel

BLOCK = 8
"""Side of the blocks of JPEG."""


@dataclass(frozen=True)
class PSNRB(Metric):
    """10 log₁₀(255² / (MSE + BEF)) of the 8-bit images, all channels. +inf where both are 0.

        BEF = η max(D_B − D_C, 0),   η = log₂ 8 / log₂ min(H, W),

    D_B the mean squared difference of neighbours in x̂ with the border of an 8×8 block between them, D_C that of all
    other neighbours. NaN if the image has no whole block and a pixel beyond it in both directions.

    Source: C. Yim and A. C. Bovik, "Quality Assessment of Deblocked Images", IEEE TIP 20(1), 2011.
    """

    name: ClassVar[str] = "psnr_b"
    title: ClassVar[str] = "PSNR-B"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 2
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @property
    def signature(self) -> str:
        return f"psnrb|rgb|u8|block{BLOCK}"

    def prepare(self, reference: Tensor, mask: Tensor) -> Tensor:
        return levels(reference)

    def score(self, prepared: Tensor, image: Tensor) -> Tensor:
        if min(image.shape[-2:]) <= BLOCK:
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        restored = levels(image)
        return decibel(image_mean((restored - prepared).square()) + blocking(restored))


def blocking(image: Tensor) -> Tensor:
    """Return the blocking effect factor (N,) of the levels of images (N,C,H,W) with sides over a block's."""
    across, down = image.diff(dim=-1).square(), image.diff(dim=-2).square().mT
    borders = across[..., BLOCK - 1 :: BLOCK], down[..., BLOCK - 1 :: BLOCK]
    # Squares of whole levels: float64 sums of them are exact, and so is what is left of the whole.
    at, whole = (image_sum(a) + image_sum(b) for a, b in (borders, (across, down)))
    count, total = (a[0].numel() + b[0].numel() for a, b in (borders, (across, down)))
    excess = at / count - (whole - at) / (total - count)
    return math.log2(BLOCK) / math.log2(min(image.shape[-2:])) * excess.clamp(min=0)
