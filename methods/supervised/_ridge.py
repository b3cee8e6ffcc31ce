"""Convex and weakly convex ridge regularisers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d

from bigprior.checkpoints import check_shapes
from bigprior.fusion import Restoration
from bigprior.precision import computing
from datasets.observation import Observation
from datasets.spec import Within
from methods.base import noise_level
from methods.supervised._descent import minimised
from methods.supervised._filters import Filters, filter_shapes
from methods.supervised._nested import read_nested
from methods.supervised._published import Published

SIGMA_MAX = 30
"""The highest noise level of the training, on the 0–255 scale."""
LARGEST_KNOT = 0.1
"""Of the activations; beyond it they are constant."""
NO_TURN = 1e-6
"""Share of μ by which a slope must change to count: less is rounding."""
SHAPES: dict[str, tuple[int, ...]] = {
    "mu_": (),
    **filter_shapes((1, 4, 8, 60), (5, 5, 5)),
    "activation_cvx.coefficients": (1, 101),
    "activation_ccv.coefficients": (1, 101),
    "spline_scaling.coefficients": (60, 11),
}


@dataclass(frozen=True, eq=False)
class Ridge:
    """R(x) = Σ_k Σ_i ψ_k((W x)_{k,i}) at one noise level, ψ_k′(u) = ψ′(a_k u) / a_k.

    ψ′ = μ ψ₊′ − ρ ψ₋′ is a linear spline, odd, of slope −ρ to μ, and constant beyond ±0.1; ψ₊′ and ψ₋′ are odd splines
    of slope 0 to 1. ρ = 0: R is convex. ρ = 1: R + ½‖x‖² is. As an odd spline ψ′(v) = Σ_j c_j min(max(v, −q_j), q_j)
    exactly, q_j the knots where its slope changes, by c_j: few, though the authors' network looks 101 of them up.
    """

    filters: Filters
    turns: tuple[tuple[float, float], ...]
    """(c_j, q_j)."""
    scales: Tensor
    """a_k (1,K,1,1)."""
    mu: float

    def derivative(self, u: Tensor) -> Tensor:
        """Return ψ_k′(u) for maps u (N,K,H,W)."""
        v = u * self.scales
        total = torch.zeros_like(v)
        for c, q in self.turns:
            total.add_(v.clamp(-q, q), alpha=c)
        return total.div_(self.scales)

    def gradient(self, x: Tensor) -> Tensor:
        """Return ∇R(x) = Wᵀ ψ′(W x), images (N,1,H,W)."""
        return self.filters.adjoint(self.derivative(self.filters(x)))

    def energy(self, x: Tensor) -> Tensor:
        """Return R(x) (N,); ψ(0) = 0."""
        v = self.filters(x) * self.scales
        terms = (c * (v.clamp(-q, q).square() / 2 + q * (v.abs() - q).clamp(min=0)) for c, q in self.turns)
        return sum(terms, torch.zeros_like(v)).div(self.scales.square()).flatten(1).sum(dim=1)

    def diagonal(self, x: Tensor) -> Tensor:
        """Return d (N,1,H,W), the diagonal of Wᵀ D W with D = ψ′(u)/u at u = W x: Wᵀ D W x = ∇R(x).

        That of an image without borders: near them the true one is a little smaller.
        """
        v = self.filters(x) * self.scales
        weights = torch.zeros_like(v)
        for c, q in self.turns:
            weights.add_((q / v.abs()).clamp_(max=1), alpha=c)
        squares = self.filters.responses.square()
        return conv_transpose2d(weights, squares, padding=squares.shape[-1] // 2)


@dataclass(frozen=True)
class RidgeRegularised(Published):
    """x̂ = argmin_x ½‖x − y‖² + R_σ(x) for gray images: a field of experts with 60 filters 13×13, learned.

    R_σ(x) = Σ_k Σ_i ψ_k((W x)_{k,i}; σ), one network for σ up to 30 on the 0–255 scale (`Ridge` has ψ). σ is the
    observation's, or in blind denoising estimated from y; where it is 0 the image is y, and an image with more noise
    is made darker until the noise is 30. The channels of a colour image are taken one by one. Found by accelerated
    gradient descent with the step 1/(1 + μ).

    Reliance: at the minimiser y − x̂ = ∇R(x̂) = Wᵀ D W x̂ with D = ψ′(u)/u at u = W x̂, so with d the diagonal of
    Wᵀ D W

        x̂ = (1 − φ) y + φ g,    φ = d/(1 + d),    g = x̂ − ∇R(x̂)/d,

    in the pixel domain: the same form as total variation at its fixed point, and g, which is −1/d times the rest of
    Wᵀ D W x̂, does not see the pixel itself. What is returned is the right side, one diagonally scaled step from where
    the descent ended. φ is declared for D held fixed; the implied reliance 1 − ∂x̂/∂y also counts how D and the
    neighbours answer.

    Args:
        tolerance: the descent ends once a step changes x by less than this share of its norm; the authors' is 1e-4.

    The norm of W is what the authors' test estimates, by 200 steps of the power method on 256×256 pixels. Zeros between
    the convolutions make it 7% (CRR) and 15% (WCRR) larger than on an image without borders, and R depends on it.
    """

    rho: ClassVar[float]
    """ρ: how concave R may be."""
    norm: ClassVar[float]
    """‖W‖² of the kernels as they are stored, by which they are divided."""

    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    on_request: ClassVar[str | None] = "takes up to a minute per 256×256 image on a CPU"

    tolerance: Annotated[float, Within(1e-8, 1e-2)] = 1e-4

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        levels = (noise_level(observation) * 255).repeat_interleave(y.shape[1]).tolist()
        pairs = [self._plane(plane[None, None], level) for plane, level in zip(y.flatten(0, 1), levels, strict=True)]
        g, phi = (torch.cat(parts).view_as(y) for parts in zip(*pairs, strict=True))
        return Restoration.fused(fidelity=y, prior=g, phi=phi)

    def _plane(self, y: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Return g and φ of a gray image (1,1,H,W)."""
        if sigma <= 0:
            return y, torch.zeros_like(y)
        scale = min(1.0, SIGMA_MAX / sigma)
        file = self.weights_here()
        ridge = ridge_of(_found(file), _filters(file, self.norm, y.dtype, y.device), self.rho, scale * sigma)
        seen = scale * y
        with computing(self.precision, y.device.type):
            x = minimised(lambda z: z - seen + ridge.gradient(z), seen, 1 / (1 + ridge.mu), self.tolerance)
        d = ridge.diagonal(x)
        return (x - ridge.gradient(x) / d) / scale, d / (1 + d)


def ridge_of(found: Mapping[str, Tensor], filters: Filters, rho: float, sigma: float) -> Ridge:
    """Return the regulariser of a checkpoint at σ on the 0–255 scale."""
    mu = float(found["mu_"].double().exp())
    convex, concave = (_slopes(found[f"activation_{kind}.coefficients"][0].double()) for kind in ("cvx", "ccv"))
    slopes = mu * convex - rho * concave
    changes = (slopes - torch.cat([slopes[1:], slopes.new_zeros(1)])).tolist()
    step = LARGEST_KNOT / len(changes)
    turns = tuple((c, number * step) for number, c in enumerate(changes, start=1) if abs(c) > NO_TURN * mu)
    knots = found["spline_scaling.coefficients"].double()
    place = sigma / SIGMA_MAX * (knots.shape[1] - 1)
    index = min(int(place), knots.shape[1] - 2)
    scales = torch.lerp(knots[:, index], knots[:, index + 1], place - index).exp() / (sigma + 1e-5)
    return Ridge(filters, turns, scales.view(1, -1, 1, 1).to(filters.kernels[0]), mu)


def _slopes(values: Tensor) -> Tensor:
    """Return the slopes of a spline, right of 0, as training constrained them: even, 0 to 1, 0 at the ends.

    Args:
        values: at the knots, before the constraints.
    """
    slopes = (values.diff() * ((len(values) - 1) / 2 / LARGEST_KNOT)).clamp(0, 1)
    slopes[[0, -1]] = 0
    return ((slopes + slopes.flip(0)) / 2)[len(slopes) // 2 :]


@cache
def _found(file: Path) -> dict[str, Tensor]:
    found = read_nested(file, "state_dict")
    check_shapes(file, "a ridge regulariser with 60 filters", found, SHAPES)
    return found


@cache
def _filters(file: Path, norm: float, dtype: torch.dtype, device: torch.device) -> Filters:
    return Filters.of(_found(file), dtype, device, norm)
