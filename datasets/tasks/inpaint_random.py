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
    """y = m ⊙ x with m = 0 on 2 to 4 rectangles, each wholly inside the image.

    Sides are |N(64, 32)| at 256×256, truncated to integers and redrawn until over 8 and no longer than the image;
    on other sizes all three lengths scale with min(H, W)/256 (the paper has only 256×256). At least a pixel a side.
    """

    name: ClassVar[str] = "inpaint-random"
    summary: ClassVar[str] = "two to four random rectangular holes"
    problem: ClassVar[Problem] = INPAINTING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips", "psnr_hole", "ssim_hole")

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        random = self.random(key)
        h, w = clean.shape[-2:]
        scale = min(h, w) / REFERENCE

        def side(limit: int) -> int:
            while True:
                length = int(abs(random.normal(MEAN * scale, SPREAD * scale)))
                if SMALLEST * scale < length <= limit:
                    return length

        mask = np.ones((h, w), dtype=np.float32)
        for _ in range(random.randint(2, 5)):
            rows, cols = side(h), side(w)
            top, left = random.randint(0, h - rows + 1), random.randint(0, w - cols + 1)
            mask[top : top + rows, left : left + cols] = 0
        return masked(clean, torch.from_numpy(mask))
