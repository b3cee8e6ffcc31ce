"""Biharmonic inpainting: the thin plate over the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scipy import ndimage, sparse

from methods.classic._inpainting import Bools, Floats, Inpainting, laplacian_rows, solve_in_hole


@dataclass(frozen=True)
class Biharmonic(Inpainting):
    """Δ²x = 0 in the hole, x = y around it: the minimiser of ‖Δx‖² over the image with the observed pixels fixed.

    Δ is the 5-point Laplacian with Neumann conditions at the image border; Δ² its square (13 points). Channels are
    independent. The fill is clipped to the range of the observed pixels of its channel, since a thin plate overshoots.
    Solved exactly.

    Source: S. B. Damelin and N. S. Hoang, "On Surface Completion and Image Inpainting by Biharmonic Functions:
    Numerical Aspects", International Journal of Mathematics and Mathematical Sciences, 2018.
    """

    name: ClassVar[str] = "biharmonic"
    summary: ClassVar[str] = "biharmonic (thin-plate) inpainting, exact sparse solve"
    citation: ClassVar[str] = (
        "S. B. Damelin, N. S. Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions: "
        "Numerical Aspects, Int. J. Math. Math. Sci., 2018"
    )

    overshoots: ClassVar[bool] = True

    @property
    def reach(self) -> int:
        return 2

    def fill(self, image: Floats, hole: Bools) -> Floats:
        # (Δ²)_ij = Σ_k Δ_ik Δ_kj, and k is in the hole or beside it.
        beside = ndimage.binary_dilation(hole)
        rows = laplacian_rows(hole)[:, beside.ravel()] @ laplacian_rows(beside)
        return solve_in_hole(sparse.csr_array(rows), image, hole)
