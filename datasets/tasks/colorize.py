"""Colour from luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from datasets.errors import SuiteError
from datasets.observation import Luma, Observation, Truth
from datasets.task import Key, Task


@dataclass(frozen=True)
class Colorize(Task):
    """y = ⌊255 (.299 R + .587 G + .114 B)⌋ / 255, computed in float32: the released inputs bit for bit.

    Raises:
        SuiteError: the image is grayscale.
    """

    name: ClassVar[str] = "colorize"
    summary: ClassVar[str] = "the colour of a grayscale image"
    metrics: ClassVar[tuple[str, ...]] = ("auc", "psnr", "ssim", "lpips", "chroma_error")
    needs_colour: ClassVar[bool] = True

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        if clean.shape[0] != 3:
            raise SuiteError(f"image '{key.image}' is grayscale: colorize needs colour images.")
        x = clean.unsqueeze(0)
        luma = Luma().forward(x.float())
        y = ((luma * 255).floor().clamp_(0, 255) / 255).to(x.dtype)
        zero = torch.zeros(1, dtype=x.dtype)
        return Observation(y=y, operator=Luma(), mask=torch.ones_like(y), sigma=zero, truth=Truth(x, zero))
