"""Biharmonic inpainting: the thin plate over the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from skimage.restoration import inpaint_biharmonic

from methods.classic._inpainting import Bools, Floats, Inpainting


@dataclass(frozen=True)
class Biharmonic(Inpainting):
    """Δ²x = 0 in the hole, x = y around it: the minimiser of ‖Δx‖² over the image with the observed pixels fixed.

    Δ is the 5-point Laplacian with Neumann conditions at the image border; Δ² its square (13 points). Channels are
    independent. The fill is clipped to the range of the observed pixels of its channel, since a thin plate overshoots.
    Solved exactly by `skimage.restoration.inpaint_biharmonic`.

    Source: S. B. Damelin and N. S. Hoang, "On Surface Completion and Image Inpainting by Biharmonic Functions:
    Numerical Aspects", International Journal of Mathematics and Mathematical Sciences, 2018.
    """

    name: ClassVar[str] = "biharmonic"
    summary: ClassVar[str] = "biharmonic (thin-plate) inpainting, exact sparse solve"
    citation: ClassVar[str] = (
        "S. B. Damelin, N. S. Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions: "
        "Numerical Aspects, Int. J. Math. Math. Sci., 2018"
    )

    def fill(self, image: Floats, hole: Bools) -> Floats:
        return inpaint_biharmonic(image, hole, channel_axis=-1)
