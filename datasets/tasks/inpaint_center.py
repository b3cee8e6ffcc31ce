"""A square hole in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from datasets.noise import NoNoise
from datasets.observation import Observation, Truth
from datasets.operators import Masking
from datasets.task import INPAINTING, Key, Problem, Task


def masked(clean: Tensor, mask: Tensor) -> Observation:
    """The noise-free observation of one image (C,H,W) through a mask (H,W), 1 = observed; holes are set to 0."""
    x = clean.unsqueeze(0)
    operator = Masking(mask.to(x.dtype)[None, None])
    return Observation(operator.forward(x), operator, NoNoise(), Truth(x, NoNoise()))


@dataclass(frozen=True)
class InpaintCenter(Task):
    """y = m ⊙ x with m = 0 on rows 3H/8 .. 5H/8−1 and columns 3W/8 .. 5W/8−1 (96..159 of a 256×256 image)."""

    name: ClassVar[str] = "inpaint-center"
    summary: ClassVar[str] = "a centred hole, a quarter of the side"
    problem: ClassVar[Problem] = INPAINTING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips", "psnr_hole", "ssim_hole")

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        h, w = clean.shape[-2:]
        mask = torch.ones(h, w)
        mask[3 * h // 8 : 5 * h // 8, 3 * w // 8 : 5 * w // 8] = 0
        return masked(clean, mask)
