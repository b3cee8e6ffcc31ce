"""Inpainting by the transport of isophotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting
from methods.classic._opencv import inpaint_channels, opencv_reach


@dataclass(frozen=True)
class NavierStokes(Inpainting):
    """Isophotes carried into the hole as streamlines of a fluid, as approximated by `cv2.inpaint(INPAINT_NS)`.

    Deviation from the source, which evolves a partial differential equation: OpenCV fills the pixels in the order of
    their distance from the boundary with means of the known pixels within `radius`, weighted along the isophotes.
    Each channel goes in as float32 on the [0,1] scale.

    Args:
        radius: of the neighbourhood, in pixels.

    Source: M. Bertalmio, A. L. Bertozzi and G. Sapiro, "Navier-Stokes, Fluid Dynamics, and Image and Video
    Inpainting", CVPR 2001.
    """

    name: ClassVar[str] = "navier-stokes"
    summary: ClassVar[str] = "Navier–Stokes inpainting (OpenCV)"
    citation: ClassVar[str] = (
        "M. Bertalmio, A. L. Bertozzi, G. Sapiro, Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting, "
        "CVPR, 2001"
    )

    radius: Annotated[float, Within(1, 100)] = 12

    @property
    def reach(self) -> int:
        return opencv_reach(self.radius)

    def fill(self, image: Floats, hole: Bools) -> Floats:
        return inpaint_channels(image, hole, self.radius, cv2.INPAINT_NS)
