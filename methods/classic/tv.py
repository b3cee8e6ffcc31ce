"""Total variation denoising (ROF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level

TINY = 1e-6
"""The least ε: keeps 1/ε finite where λ = 0; far under one step of an 8-bit image."""


@dataclass(frozen=True)
class TotalVariation(Method):
    """x̂ = argmin_x ½‖x − y‖² + λ Σ_i √(|∇x|_i² + ε²), as the fusion that holds at the minimiser.

    (∇x)_i are the forward differences to the right and downwards, 0 across the border; |∇x|_i² sums them over both
    directions and, in colour, over the channels (vectorial TV: one set of weights for all channels). With
    w_i = 1/√(|∇x̂|_i² + ε²), setting the gradient to 0 gives y − x̂ = λ ∇ᵀ(w ∇x̂), which row by row reads

        (1 + λ Σ_j w_ij) x̂_i = y_i + λ Σ_j w_ij x̂_j          j the four neighbours of i,

    where the edge from i to its right or lower neighbour weighs w_i, and to its left or upper neighbour j weighs w_j.
    So φ_i = λ Σ_j w_ij/(1 + λ Σ_j w_ij), g_i = Σ_j w_ij x̂_j/Σ_j w_ij, f = y. The minimiser comes from `rof`; the image
    returned is one more fixed-point step, so that it is the fusion of its parts to the last bit.

    λ = a σ (σ/σ₀)^b, σ₀ = 25/255.

    Args:
        scale_gray, power_gray: a and b for one channel.
        scale_colour, power_colour: a and b for three channels.
        smoothing: ε/λ. λ/ε bounds the condition number of the problem, so a fixed number of iterations converges
            equally far for every σ.
        iterations: of `rof`; the default leaves less than 1e-5 between the image and the minimiser.

    Sources: L. Rudin, S. Osher and E. Fatemi, "Nonlinear Total Variation Based Noise Removal Algorithms", Physica D
    60, 1992; P. Blomgren and T. F. Chan, "Color TV", IEEE Transactions on Image Processing 7(3), 1998, and
    X. Bresson and T. F. Chan, 2008, for coupled channels; C. R. Vogel and M. E. Oman, 1996, for the fixed point.
    Deviation: λ is a function of σ and not a Lagrange multiplier for ‖x − y‖² = Nσ².
    """

    name: ClassVar[str] = "tv"
    summary: ClassVar[str] = "total variation (ROF), channels coupled"
    citation: ClassVar[str] = (
        "L. Rudin, S. Osher and E. Fatemi, Nonlinear Total Variation Based Noise Removal Algorithms, Physica D, 1992"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    scale_gray: Annotated[float, Within(0, 1000)] = 0.752
    power_gray: Annotated[float, Within(0, 10)] = 0.315
    scale_colour: Annotated[float, Within(0, 1000)] = 1.136
    power_colour: Annotated[float, Within(0, 10)] = 0.24
    smoothing: Annotated[float, Within(0, 100)] = 0.05
    iterations: Annotated[int, Within(0, 100_000)] = 200

    def strength(self, sigma: Tensor, channels: int) -> Tensor:
        """Return λ for σ on the [0,1] scale."""
        scale, power = (self.scale_gray, self.power_gray) if channels == 1 else (self.scale_colour, self.power_colour)
        return scale * sigma * (sigma * 255 / 25) ** power

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        lam = self.strength(noise_level(observation), y.shape[1])[:, None, None, None]
        eps = (self.smoothing * lam).clamp(min=TINY)
        total, neighbours = fixed_point(rof(y, lam, eps, self.iterations), eps)
        return Restoration.fused(y, neighbours / total, lam * total / (1 + lam * total))


def rof(y: Tensor, lam: Tensor, eps: Tensor, iterations: int) -> Tensor:
    """Minimise ½‖x − y‖² + λ Σ_i √(|∇x|_i² + ε²) by Nesterov's accelerated gradient for strongly convex functions.

    The objective is 1-strongly convex and its gradient has the Lipschitz constant L = 1 + 8 λ/ε, so the error falls
    like (1 − 1/√L)^k at least.

    Args:
        y: (N,C,H,W).
        lam: λ ≥ 0, (N,1,1,1).
        eps: ε > 0, (N,1,1,1), on the scale of y.
        iterations: k.
    """
    step = 1 / (1 + 8 * lam / eps)
    momentum = (1 - step.sqrt()) / (1 + step.sqrt())
    x = ahead = y
    for _ in range(iterations):
        previous, x = x, ahead - step * rof_gradient(ahead, y, lam, eps)
        ahead = x + momentum * (x - previous)
    return x


def rof_gradient(x: Tensor, y: Tensor, lam: Tensor, eps: Tensor) -> Tensor:
    """Return x − y + λ ∇ᵀ(w ∇x), the gradient of the objective of `rof`, w = 1/√(|∇x|² + ε²)."""
    down, right = forward_differences(x)
    w = lam * _weights(down, right, eps)
    down, right = (w * down)[..., :-1, :], (w * right)[..., :-1]
    gradient = x - y
    gradient[..., :-1, :] -= down
    gradient[..., 1:, :] += down
    gradient[..., :-1] -= right
    gradient[..., 1:] += right
    return gradient


def forward_differences(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the differences to the pixel below and to the pixel on the right, like x; 0 in the last row or column."""
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    torch.sub(x[..., 1:, :], x[..., :-1, :], out=down[..., :-1, :])
    torch.sub(x[..., 1:], x[..., :-1], out=right[..., :-1])
    return down, right


def edge_weights(x: Tensor, eps: Tensor) -> Tensor:
    """Return w (N,1,H,W), w_i = 1/√(|∇x|_i² + ε²), the weight of the edges from i downwards and to the right."""
    return _weights(*forward_differences(x), eps)


def _weights(down: Tensor, right: Tensor, eps: Tensor) -> Tensor:
    return (down.square() + right.square()).sum(dim=1, keepdim=True).add_(eps**2).rsqrt_()


def fixed_point(x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ_j w_ij (N,1,H,W) and Σ_j w_ij x_j (N,C,H,W) over the neighbours j of every pixel i."""
    w = edge_weights(x, eps)
    total, weighted = torch.zeros_like(w), torch.zeros_like(x)
    for axis in (-2, -1):
        here, there = (x.narrow(axis, start, x.shape[axis] - 1) for start in (0, 1))
        edge = w.narrow(axis, 0, x.shape[axis] - 1)
        for start, other in ((0, there), (1, here)):
            total.narrow(axis, start, x.shape[axis] - 1).add_(edge)
            weighted.narrow(axis, start, x.shape[axis] - 1).add_(edge * other)
    return total, weighted
