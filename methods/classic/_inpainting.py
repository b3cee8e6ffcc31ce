"""What the inpainting methods share: the fusion around a fill, and the finite differences of a grid."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.task import INPAINTING, Problem
from methods.base import Method

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Solver = Callable[[sparse.csr_array, Floats, Bools], Floats]


@dataclass(frozen=True)
class Inpainting(Method):
    """Noise-free inpainting as a fusion with φ = 0 where a pixel was observed and φ = 1 in the hole.

    f is the observation (0 in the hole), g the fill, φ = 1 − m of shape (N,1,H,W), in the pixel domain. Since φ is
    exactly 0 or 1, observed pixels come back bit for bit. A subclass gives the fill of one image.

    Raises:
        ValueError: (from `restore`) an image of the batch has no observed pixel.
    """

    problems: ClassVar[tuple[Problem, ...]] = (INPAINTING,)
    decoupled: ClassVar[bool] = True
    overshoots: ClassVar[bool] = False
    """True if the fill is clipped to the range of the observed pixels of its channel."""

    @property
    def reach(self) -> int | None:
        """How far from the hole, along either axis, observed pixels can matter to the fill; None, at any distance."""
        return None

    @abstractmethod
    def fill(self, image: Floats, hole: Bools) -> Floats:
        """Return the fill of one image, before clipping.

        Args:
            image: (H,W,C) in [0,1], 0 in the hole; a part of an image from `reach` before the hole to `reach` after.
            hole: (H,W), True where nothing was observed; neither empty nor the whole image.

        Returns:
            (H,W,C); only its values in the hole are used.
        """

    def restore(self, observation: Observation) -> Restoration:
        fidelity = observation.fidelity
        hole = observation.mask == 0
        prior = fidelity.clone()
        for i in range(len(observation)):
            inside = hole[i, 0]
            if not inside.any():
                continue
            if inside.all():
                raise ValueError(f"image {i} of the batch has no observed pixel: there is nothing to fill it from")
            rows, columns = (around(inside.any(dim=1 - axis), self.reach) for axis in (0, 1))
            near, part = inside[rows, columns], fidelity[i, :, rows, columns]
            image = part.detach().cpu().double().permute(1, 2, 0).contiguous().numpy()
            filled = torch.from_numpy(self.fill(image, near.cpu().numpy())).permute(2, 0, 1).to(fidelity)
            if self.overshoots:
                bounds = [torch.where(inside, end, fidelity[i]) for end in (torch.inf, -torch.inf)]
                filled = torch.clamp(
                    filled, bounds[0].amin((1, 2))[:, None, None], bounds[1].amax((1, 2))[:, None, None]
                )
            prior[i, :, rows, columns] = torch.where(near, filled, part)
        return Restoration.fused(fidelity, prior, hole.to(fidelity.dtype))


def around(line: Tensor, reach: int | None) -> slice:
    """Return the part of a line from `reach` before its first True to `reach` after its last one, or the whole."""
    if reach is None:
        return slice(None)
    places = line.nonzero()
    return slice(max(int(places[0]) - reach, 0), int(places[-1]) + reach + 1)


def laplacian_rows(rows: Bools) -> sparse.csr_array:
    """Return the rows of −Δ, the 5-point Laplacian with Neumann borders, of the pixels (H,W) that are True, (n, HW)."""
    height, width = rows.shape
    i, j = np.nonzero(rows)
    # The neighbours of a pixel, above, left, right and below, and whether there are such.
    steps = ((-1, 0), (0, -1), (0, 1), (1, 0))
    there = np.stack([(i + a >= 0) & (i + a < height) & (j + b >= 0) & (j + b < width) for a, b in steps], axis=1)
    there = np.insert(there, 2, True, axis=1)
    columns = (i * width + j)[:, None] + np.array([-width, -1, 0, 1, width])
    values = np.full(columns.shape, -1.0)
    values[:, 2] = there.sum(axis=1) - 1
    starts = np.concatenate([[0], there.sum(axis=1).cumsum()])
    return sparse.csr_array((values[there], columns[there], starts), shape=(len(i), height * width))


def factorise(matrix: sparse.sparray) -> SuperLU:
    """Factorise a symmetric positive definite matrix."""
    # Diagonal pivots are safe for a positive definite matrix and keep the fill-reducing order of AᵀA's half, A + Aᵀ.
    return splu(
        sparse.csc_array(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )


def directly(matrix: sparse.csr_array, right: Floats, hole: Bools) -> Floats:
    """Return the solution (n,C) of a symmetric positive definite system, by factorising it."""
    return factorise(matrix).solve(right)


def solve_in_hole(matrix: sparse.csr_array, image: Floats, hole: Bools, solve: Solver = directly) -> Floats:
    """Return the image x that equals `image` outside the hole and satisfies (M x)_i = 0 at every i in the hole.

    For a symmetric psd M this is the minimiser of xᵀ M x with Dirichlet data. One factorisation serves all channels.

    Args:
        matrix: the rows of M of the pixels in the hole, in row-major order.
        image: (H,W,C).
        hole: (H,W).
        solve: of the system (n,n), its right-hand side (n,C) and the hole.
    """
    unknown = hole.ravel()
    values = image.reshape(unknown.size, -1).copy()
    values[unknown] = 0
    # What is known gives the right-hand side, since what is not is 0 so far.
    values[unknown] = solve(matrix[:, unknown], -(matrix @ values), hole)
    return values.reshape(image.shape)
