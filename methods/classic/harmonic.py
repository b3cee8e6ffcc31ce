"""Harmonic inpainting: the membrane over the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.classic._inpainting import Bools, Floats, Inpainting, laplacian_rows, solve_in_hole
from methods.classic._multigrid import solve


@dataclass(frozen=True)
class Harmonic(Inpainting):
    """Δx = 0 in the hole, x = y around it: the minimiser of ∫|∇x|² with Dirichlet data.

    The 5-point Laplacian with Neumann conditions at the image border, solved exactly: every pixel of the hole is the
    mean of its neighbours within the image. Channels are independent.

    Source: T. F. Chan and J. Shen, "Mathematical Models for Local Nontexture Inpaintings", SIAM Journal on Applied
    Mathematics 62(3), 2002 (the harmonic baseline).
    """

    name: ClassVar[str] = "harmonic"
    summary: ClassVar[str] = "harmonic (Laplace) inpainting, exact sparse solve"
    citation: ClassVar[str] = (
        "T. F. Chan, J. Shen, Mathematical Models for Local Nontexture Inpaintings, SIAM J. Appl. Math., 2002"
    )

    @property
    def reach(self) -> int:
        return 1

    def fill(self, image: Floats, hole: Bools) -> Floats:
        return solve_in_hole(laplacian_rows(hole), image, hole, solve)
