"""Forward differences of images, and their negative adjoint: for primal-dual methods."""

from __future__ import annotations

from torch import Tensor


def gradient(x: Tensor) -> Tensor:
    """Return ∇x (N,2,C,H,W): the differences to the pixel below and to the right, 0 across the border. ‖∇‖² ≤ 8."""
    found = x.new_zeros(len(x), 2, *x.shape[1:])
    found[:, 0, :, :-1] = x.diff(dim=-2)
    found[:, 1, :, :, :-1] = x.diff(dim=-1)
    return found


def divergence(p: Tensor) -> Tensor:
    """Return −∇ᵀp (N,C,H,W) of p (N,2,C,H,W)."""
    down, across = p[:, 0, :, :-1], p[:, 1, :, :, :-1]
    found = p.new_zeros(len(p), *p.shape[2:])
    found[..., :-1, :] += down
    found[..., 1:, :] -= down
    found[..., :-1] += across
    found[..., 1:] -= across
    return found
