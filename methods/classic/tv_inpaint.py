"""Total variation inpainting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy import ndimage, sparse

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting, laplacian_rows, solve_in_hole
from methods.classic._multigrid import solve


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

    @property
    def reach(self) -> int:
        return 1

    def fill(self, image: Floats, hole: Bools) -> Floats:
        near = ndimage.binary_dilation(hole, np.ones((3, 3), dtype=bool))
        rows, columns = touched_differences(hole, near)
        unknown = hole[near]
        rows_in, columns_in = rows[:, unknown].tocsr(), columns[:, unknown].tocsr()

        filled = solve_in_hole(laplacian_rows(hole), image, hole, solve)
        x = filled[near]
        known = np.where(unknown[:, None], 0.0, x)
        rows_known, columns_known = rows @ known, columns @ known
        for _ in range(self.iterations):
            squared = ((rows @ x) ** 2 + (columns @ x) ** 2).sum(axis=1)
            w = 1 / np.sqrt(squared + self.epsilon**2)
            rows_w, columns_w = rows_in.multiply(w[:, None]).T.tocsr(), columns_in.multiply(w[:, None]).T.tocsr()
            matrix = sparse.csr_array(rows_w @ rows_in + columns_w @ columns_in)
            inside = solve(matrix, -(rows_w @ rows_known + columns_w @ columns_known), hole)
            change = np.abs(inside - x[unknown]).max()
            x[unknown] = inside
            if change <= self.tolerance:
                break
        filled[near] = x
        return filled


def touched_differences(hole: Bools, near: Bools) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the forward differences down and to the right of the pixels whose term of the energy the hole can change.

    Args:
        hole: (H,W).
        near: (H,W), True at every pixel that such a term reads: the hole and its eight neighbours.

    Returns:
        Two matrices (terms, pixels of `near`), both in row-major order; zero where there is no neighbour.
    """
    height, width = hole.shape
    below = np.zeros_like(hole)
    below[:-1] = hole[:-1] | hole[1:]
    beside = np.zeros_like(hole)
    beside[:, :-1] = hole[:, :-1] | hole[:, 1:]
    number = np.cumsum(near).reshape(hole.shape) - 1
    i, j = np.nonzero(below | beside)

    def forward(there: Bools, down: int, right: int) -> sparse.csr_array:
        term = np.flatnonzero(there)
        pixel, neighbour = number[i[there], j[there]], number[i[there] + down, j[there] + right]
        ones, twice = np.ones(len(term)), np.concatenate([term, term])
        entries = np.concatenate([-ones, ones]), (twice, np.concatenate([pixel, neighbour]))
        return sparse.csr_array(entries, shape=(len(i), int(near.sum())))

    return forward(i + 1 < height, 1, 0), forward(j + 1 < width, 0, 1)
