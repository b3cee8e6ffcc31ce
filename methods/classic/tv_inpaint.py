"""Total variation inpainting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting, differences, factorise, laplacian, solve_in_hole


@dataclass(frozen=True)
class TVInpaint(Inpainting):
    """min over the hole of TV_ε(x) = Σ_i √(Σ_c |∇x_c|_i² + ε²), with x = y at every observed pixel.

    Forward differences with Neumann borders; the channels of a colour image are coupled (Blomgren and Chan's colour
    TV in its joint form), so that their edges coincide. Lagged diffusivity: with the weights w = 1/√(|∇x|² + ε²) of
    the last iterate, solve Dᵀ diag(w) D x = 0 in the hole (one sparse factorisation for all channels), from the
    harmonic fill, until no pixel moves by more than `tolerance`. Each step decreases TV_ε, which is strictly convex
    for ε > 0, so the limit is the minimiser.

    Deviation from the source: the data is noise-free, so observed pixels are constraints and not a quadratic term.

    Args:
        epsilon: ε, smooths TV at 0; on the [0,1] scale of the image. A large one comes close to the harmonic fill.
        tolerance: largest change of a pixel in the last iteration, on the [0,1] scale.
        iterations: at most so many solves.

    Sources: J. Shen and T. F. Chan, "Mathematical Models for Local Nontexture Inpaintings", SIAM Journal on Applied
    Mathematics 62(3), 2002; C. R. Vogel and M. E. Oman, "Iterative Methods for Total Variation Denoising", SIAM
    Journal on Scientific Computing 17(1), 1996 (lagged diffusivity).
    """

    name: ClassVar[str] = "tv-inpaint"
    summary: ClassVar[str] = "total variation inpainting, lagged diffusivity"
    citation: ClassVar[str] = (
        "J. Shen, T. F. Chan, Mathematical Models for Local Nontexture Inpaintings, SIAM J. Appl. Math., 2002"
    )

    epsilon: Annotated[float, Within(1e-6, 1000)] = 3e-2
    tolerance: Annotated[float, Within(0, 1)] = 1e-3
    iterations: Annotated[int, Within(0, 10_000)] = 100

    def fill(self, image: Floats, hole: Bools) -> Floats:
        unknown = hole.ravel()
        rows, columns = differences(*hole.shape)
        # The terms of the energy that the hole can change: those of its pixels and of the ones above and to the left.
        touched = (abs(rows) + abs(columns))[:, unknown].sum(axis=1) > 0
        rows, columns = rows[touched], columns[touched]
        rows_in, columns_in = rows[:, unknown].tocsr(), columns[:, unknown].tocsr()

        x = solve_in_hole(laplacian(*hole.shape), image, hole).reshape(unknown.size, -1)
        known = np.where(unknown[:, None], 0.0, x)
        rows_known, columns_known = rows @ known, columns @ known
        for _ in range(self.iterations):
            squared = ((rows @ x) ** 2 + (columns @ x) ** 2).sum(axis=1)
            w = 1 / np.sqrt(squared + self.epsilon**2)
            rows_w, columns_w = rows_in.multiply(w[:, None]).T.tocsr(), columns_in.multiply(w[:, None]).T.tocsr()
            inside = factorise(rows_w @ rows_in + columns_w @ columns_in).solve(
                -(rows_w @ rows_known + columns_w @ columns_known)
            )
            change = np.abs(inside - x[unknown]).max()
            x[unknown] = inside
            if change <= self.tolerance:
                break
        return x.reshape(image.shape)
