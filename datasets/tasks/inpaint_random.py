"""Random rectangular holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datasets.observation import Observation
from datasets.task import INPAINTING, Key, Problem, Task
from datasets.tasks.inpaint_center import masked

REFERENCE = 256
MEAN, SPREAD, SMALLEST = 64, 32, 8


@dataclass(frozen=True)
class InpaintRandom(Task):
    """y = m ⊙ x with m = 0 on 2 to 4 rectangles, drawn as in the paper's code.

    For each, corner and sides are drawn together: the top in 0..H, the left in 0..W, both uniform, and two sides
    |N(64, 32)| at 256×256, rounded to integers. All four are drawn again until both sides are over 8 and the rectangle
    ends before the last row and column, which are therefore always known. Small holes fit more often: a side is 61
    pixels and an image's holes are 0.16 of it in the mean. On other sizes the three lengths scale with min(H, W)/256
    (the paper has only 256×256); a side is at least a pixel.

    Source: `mask_utils.py` of github.com/majedelhelou/BIGPrior.
    """

    name: ClassVar[str] = "inpaint-random"
    summary: ClassVar[str] = "two to four random rectangular holes"
    problem: ClassVar[Problem] = INPAINTING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips", "psnr_hole", "ssim_hole")

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        random = self.random(key)
        h, w = clean.shape[-2:]
        scale = min(h, w) / REFERENCE
        mask = np.ones((h, w), dtype=np.float32)
        for _ in range(random.randint(2, 5)):
            while True:
                top, left = random.randint(0, h + 1), random.randint(0, w + 1)
                rows, cols = np.rint(np.abs(random.normal(MEAN * scale, SPREAD * scale, 2))).astype(int)
                if min(rows, cols) > SMALLEST * scale and top + rows < h and left + cols < w:
                    break
            mask[top : top + rows, left : left + cols] = 0
        return masked(clean, torch.from_numpy(mask))
