"""Inpainting by a fast marching method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting
from methods.classic._opencv import inpaint_channels


@dataclass(frozen=True)
class Telea(Inpainting):
    """Pixels are filled in the order of their distance from the hole's boundary by `cv2.inpaint(INPAINT_TELEA)`.

    Each is a weighted mean of the known pixels within `radius`, with weights of direction, distance and level.

    OpenCV's formula has additive terms of about one gray level, so the scale of its input matters: each channel goes
    in as float32 on the 0–255 scale.

    Args:
        radius: of the neighbourhood, in pixels.

    Source: A. Telea, "An Image Inpainting Technique Based on the Fast Marching Method", Journal of Graphics Tools
    9(1), 2004.
    """

    name: ClassVar[str] = "telea"
    summary: ClassVar[str] = "fast marching inpainting (OpenCV)"
    citation: ClassVar[str] = (
        "A. Telea, An Image Inpainting Technique Based on the Fast Marching Method, J. Graphics Tools, 2004"
    )

    radius: Annotated[float, Within(1, 100)] = 12

    def fill(self, image: Floats, hole: Bools) -> Floats:
        return inpaint_channels(image * 255, hole, self.radius, cv2.INPAINT_TELEA) / 255
