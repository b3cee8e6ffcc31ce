"""Minimise a smooth energy by accelerated gradient descent."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

MOST = 500
"""Steps."""


def minimised(gradient: Callable[[Tensor], Tensor], start: Tensor, step: float, tolerance: float) -> Tensor:
    """Return a stationary point: x_{t+1} = z_t − s ∇E(z_t), z extrapolated from the last two x (FISTA).

    The momentum starts again where it points uphill. It ends once a step changes x by less than `tolerance` ‖x‖.

    Args:
        gradient: ∇E.
        start: one image of any shape.
        step: s, at most one over the Lipschitz constant of ∇E.

    Source: A. Beck and M. Teboulle, "A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems",
    SIAM J. Imaging Sciences 2(1), 2009; B. O'Donoghue and E. Candès, "Adaptive Restart for Accelerated Gradient
    Schemes", Foundations of Computational Mathematics 15, 2015 (gradient scheme).
    """
    x = z = start
    t = 1.0
    for _ in range(MOST):
        slope = gradient(z)
        before, x = x, z - step * slope
        moved = x - before
        if float((slope * moved).sum()) > 0:
            t, z = 1.0, x
        else:
            after = (1 + (1 + 4 * t * t) ** 0.5) / 2
            z = x + (t - 1) / after * moved
            t = after
        if float(moved.norm()) <= tolerance * float(x.norm()):
            break
    return x
