"""Linear systems between neighbouring pixels of large holes: conjugate gradients, preconditioned by a multigrid cycle.

Sources: multigrid as a preconditioner, O. Tatebe, "The Multigrid Preconditioned Conjugate Gradient Method", NASA
CP 3224, 1993; corrections that are constant on blocks, and what they are multiplied by, D. Braess, "Towards Algebraic
Multigrid for Elliptic Problems of Second Order", Computing 55, 1995.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from methods.classic._inpainting import Bools, Floats, directly, factorise

DIRECT = 2**18
"""Unknowns up to which a system is factorised."""
COARSEST = 2000
"""Unknowns of the coarsest grid."""
RELATIVE = 1e-10
"""Residual at which the iteration ends, relative to the right-hand side."""
MOST = 1000
"""Iterations; of the Laplacian some fifteen are taken."""
SWEEPS, DAMPING = 2, 0.7
"""Jacobi sweeps before and after the coarser grid."""
OVER = 1.8
"""What a correction that is constant on 2×2 pixels is multiplied by: the jumps between them make it too small."""


@dataclass(frozen=True)
class Level:
    """The system on one grid.

    Attributes:
        matrix: (n,n).
        inverse: DAMPING over the diagonal (n,1).
        spread: (n,m), 1 where a pixel is in a block of 2×2 of the next coarser grid.
    """

    matrix: sparse.csr_array
    inverse: Floats
    spread: sparse.csr_array


def solve(matrix: sparse.csr_array, right: Floats, hole: Bools) -> Floats:
    """Return x (n,C) with M x = b: exactly, or to RELATIVE if there are more than DIRECT unknowns.

    Args:
        matrix: M (n,n), the Laplacian or another M-matrix between neighbours in the hole, in row-major order.
        right: b (n,C).
        hole: (H,W), True at the n unknowns.

    Raises:
        ArithmeticError: the iteration does not converge.
    """
    if len(right) <= DIRECT:
        return directly(matrix, right, hole)
    levels, place = [], np.stack(np.nonzero(hole))
    while matrix.shape[0] > COARSEST:
        place, block = np.unique(place // 2, axis=1, return_inverse=True)
        n = matrix.shape[0]
        spread = sparse.csr_array((np.ones(n), block.ravel(), np.arange(n + 1)), shape=(n, place.shape[1]))
        levels.append(Level(matrix, DAMPING / matrix.diagonal(), spread))
        matrix = sparse.csr_array(spread.T @ matrix @ spread)
    coarsest = factorise(matrix)

    def cycle(b: Floats, depth: int = 0) -> Floats:
        if depth == len(levels):
            return coarsest.solve(b)
        level = levels[depth]
        x = level.inverse * b
        for _ in range(SWEEPS - 1):
            x += level.inverse * (b - level.matrix @ x)
        x += OVER * (level.spread @ cycle(level.spread.T @ (b - level.matrix @ x), depth + 1))
        for _ in range(SWEEPS):
            x += level.inverse * (b - level.matrix @ x)
        return x

    fine = levels[0].matrix if levels else matrix
    preconditioner = LinearOperator(fine.shape, matvec=cycle)
    found = [cg(fine, b, x0=cycle(b), rtol=RELATIVE, maxiter=MOST, M=preconditioner) for b in right.T]
    if any(failed for _, failed in found):
        raise ArithmeticError(f"the fill of a hole of {len(right)} pixels does not converge in {MOST} iterations")
    return np.stack([x for x, _ in found], axis=1)
