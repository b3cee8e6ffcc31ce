"""Holes like strokes of a brush."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.observation import Observation
from datasets.task import INPAINTING, Key, Problem, Task
from datasets.tasks.inpaint_center import masked

REFERENCE = 256
STROKES, TURNS = (3, 7), (3, 9)
"""How many strokes an image has, and pieces a stroke: from the first up to but not including the second."""
LENGTH, THICK = (16.0, 56.0), (6.0, 18.0)
"""Of a piece and across a stroke, in pixels of a 256×256 image, uniform."""
BEND = 1.0
"""Standard deviation of the turn between two pieces, in radians."""


@dataclass(frozen=True)
class InpaintFreeform(Task):
    """y = m ⊙ x with m = 0 on 3 to 6 strokes of a round brush.

    A stroke begins anywhere, in any direction, and has 3 to 8 straight pieces of 16 to 56 pixels, each turned from the
    one before by an angle ~ N(0, 1) radian; it is 6 to 18 pixels across. A pixel is in the hole if its middle is at
    most half of that from a piece. On other sizes lengths scale with min(H, W)/256.

    Source: the idea of free-form masks, J. Yu et al., "Free-Form Image Inpainting with Gated Convolution", ICCV 2019;
    its numbers are ours.
    """

    name: ClassVar[str] = "inpaint-freeform"
    summary: ClassVar[str] = "holes like strokes of a brush"
    problem: ClassVar[Problem] = INPAINTING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips", "psnr_hole", "ssim_hole")

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        random = self.random(key)
        h, w = clean.shape[-2:]
        scale = min(h, w) / REFERENCE
        hole = np.zeros((h, w), dtype=bool)
        for _ in range(random.randint(*STROKES)):
            place = random.uniform(0, 1, 2) * (h, w)
            angle, radius = random.uniform(0, 2 * np.pi), random.uniform(*THICK) * scale / 2
            for _ in range(random.randint(*TURNS)):
                end = place + random.uniform(*LENGTH) * scale * np.array([np.sin(angle), np.cos(angle)])
                paint(hole, place, end, radius)
                place, angle = end, angle + random.normal(0, BEND)
        return masked(clean, torch.from_numpy(~hole))


def paint(hole: NDArray[np.bool_], start: NDArray[np.float64], end: NDArray[np.float64], radius: float) -> None:
    """Set the pixels (H,W) whose middle is at most `radius` from the segment between two points (row, column)."""
    low = np.maximum(np.floor(np.minimum(start, end) - radius), 0).astype(int)
    high = np.minimum(np.ceil(np.maximum(start, end) + radius) + 1, hole.shape).astype(int)
    if (low >= high).any():
        return
    points = np.moveaxis(np.mgrid[low[0] : high[0], low[1] : high[1]], 0, -1) + 0.5
    along = end - start
    part = np.clip((points - start) @ along / (along @ along), 0, 1)
    distance = np.linalg.norm(points - start - part[..., None] * along, axis=-1)
    hole[low[0] : high[0], low[1] : high[1]] |= distance <= radius
