"""Inpainting by a fast marching method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting
from methods.classic._opencv import inpaint_channels, opencv_reach
from methods.classic.kernels import installed

SMALLEST = 3
"""Side of the smallest image whose border the compiled march can treat as OpenCV does."""


@dataclass(frozen=True)
class Telea(Inpainting):
    """Pixels are filled in the order of their distance from the hole's boundary, as `cv2.inpaint(INPAINT_TELEA)` does.

    Each is a weighted mean of the known pixels within `radius`, with weights of direction, distance and level. The
    weights are those of OpenCV, computed once for all channels; sums are taken in another order. Where the known pixels
    are all but constant the slope that is added has a direction of rounding alone, and so differs from OpenCV's.

    OpenCV's formula has additive terms of about one gray level, so the scale of its input matters: each channel goes
    in as float32 on the 0–255 scale.

    Args:
        radius: of the neighbourhood, in pixels.

    Source: A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", Journal of Graphics Tools
    9(1), 2004.
    """

    name: ClassVar[str] = "telea"
    summary: ClassVar[str] = "fast marching inpainting, as OpenCV has it"
    citation: ClassVar[str] = (
        "A. Telea, An Image Inpainting Technique Based on the Fast Marching Method, J. Graphics Tools, 2004"
    )

    radius: Annotated[float, Within(1, 100)] = 12

    @property
    def reach(self) -> int:
        return opencv_reach(self.radius)

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else ("computed by OpenCV channel by channel, slower: there is no numba",)

    def fill(self, image: Floats, hole: Bools) -> Floats:
        if installed() and min(hole.shape) >= SMALLEST:
            from methods.classic.kernels.telea import telea

            filled = telea(np.moveaxis(image * 255, -1, 0), hole, max(1, round(self.radius)))
            return np.moveaxis(filled, 0, -1).astype(np.float64) / 255
        return inpaint_channels(image * 255, hole, self.radius, cv2.INPAINT_TELEA) / 255
