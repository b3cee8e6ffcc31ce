"""Total variation denoising (ROF)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic.kernels import WITHOUT, available, installed

TINY = 1e-6
"""The least ε: keeps 1/ε finite where λ = 0; far under one step of an 8-bit image."""
AXES = (-2, -1)


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
        smoothing: ε/λ. λ/ε bounds the condition number of the problem, so that it takes as many sweeps for every σ.
        tolerance: of `rof`, in units of λ: bounds the root mean square of the distance to the minimiser. The default
            leaves less than 2e-3 λ between any pixel and the minimiser and less than 2e-3 between any φ and the one
            at the minimiser (in float32 for σ ≥ 0.004), and takes 20 to 45 sweeps.
        iterations: at most so many sweeps.

    Sources: L. Rudin, S. Osher and E. Fatemi, "Nonlinear Total Variation Based Noise Removal Algorithms", Physica D
    60, 1992; P. Blomgren and T. F. Chan, "Color TV", IEEE Transactions on Image Processing 7(3), 1998, and
    X. Bresson and T. F. Chan, 2008, for coupled channels; C. R. Vogel and M. E. Oman, 1996, for the fixed point.
    D. M. Young, "Iterative Solution of Large Linear Systems", 1971, for the over-relaxation.
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
    tolerance: Annotated[float, Within(0, 1)] = 1e-4
    iterations: Annotated[int, Within(0, 100_000)] = 200

    def strength(self, sigma: Tensor, channels: int) -> Tensor:
        """Return λ for σ on the [0,1] scale."""
        scale, power = (self.scale_gray, self.power_gray) if channels == 1 else (self.scale_colour, self.power_colour)
        return scale * sigma * (sigma * 255 / 25) ** power

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else (WITHOUT,)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        lam = self.strength(noise_level(observation), y.shape[1])[:, None, None, None]
        eps = (self.smoothing * lam).clamp(min=TINY)
        total, neighbours = fixed_point(rof(y, lam, eps, self.iterations, self.tolerance), eps)
        prior = neighbours.div_(total.clamp(min=torch.finfo(y.dtype).tiny))  # one pixel alone has no neighbours
        strength = total.mul_(lam)
        return Restoration.fused(y, prior, strength / (1 + strength))


def rof(y: Tensor, lam: Tensor, eps: Tensor, iterations: int, tolerance: float = 0) -> Tensor:
    """Minimise ½‖x − y‖² + λ Σ_i √(|∇x|_i² + ε²), each image of the batch for itself.

    Lagged diffusivity, one sweep of red-black successive over-relaxation per step: with w from the last sweep,

        x_i ← x_i + ω r_i/(1 + λ Σ_j w_ij),   r_i = y_i − x_i + λ Σ_j w_ij (x_j − x_i),

    first where row + column is even, then where it is odd. The quadratic with the weights w lies above the objective
    and touches it at the last x, and a sweep with 0 < ω < 2 never increases it: so the objective never rises. ω is
    the best one for constant weights w = 1/(2ε), half of the largest. Starts at y, and ends when the root mean square
    of r over a sweep is at most max(`tolerance` λ, the unit roundoff). Before the sweep r is minus the gradient, and
    the objective is 1-strongly convex, so that the norm of its gradient bounds the distance to the minimiser.

    Args:
        y: (N,C,H,W).
        lam: λ ≥ 0, (N,1,1,1).
        eps: ε > 0, (N,1,1,1), on the scale of y.
        iterations: at most so many sweeps.
        tolerance: see above.
    """
    x = torch.empty_like(y, memory_format=torch.contiguous_format)
    for here, there, strength, smooth in zip(y, x, lam.flatten().tolist(), eps.flatten().tolist(), strict=True):
        largest = 2 * strength / smooth  # λ Σ_j w_ij for w = 1/(2ε)
        omega = 2 / (1 + math.sqrt(1 - (largest / (1 + largest)) ** 2))
        stop = here.numel() * max(tolerance * strength, torch.finfo(y.dtype).eps / 2) ** 2
        minimise(here, strength, smooth, omega, stop, iterations, there)
    return x


def minimise(y: Tensor, lam: float, eps: float, omega: float, stop: float, iterations: int, out: Tensor) -> None:
    """Put the result of `rof` for one image y (C,H,W) into `out`; `stop` is the largest Σ r² of the last sweep."""
    if available(y):
        from methods.classic.kernels import tv

        pixels = y.contiguous().numpy()
        number = pixels.dtype.type
        tv.minimise(pixels, number(lam), number(eps), number(omega), stop, iterations, out.numpy())
        return
    out.copy_(y)
    height, width = y.shape[-2:]
    rows, columns = torch.arange(height, device=y.device), torch.arange(width, device=y.device)
    odd = ((rows[:, None] + columns) % 2).to(y.dtype)
    for _ in range(iterations):
        w = lam * edge_weights(out, eps)
        step = omega / (1 + degree(w))
        total = out.new_zeros(())
        for colour in (1 - odd, odd):
            r = residual(out, y, w) * colour
            total += r.square().sum()
            out.addcmul_(step, r)
        if total <= stop:
            break


def edge_weights(x: Tensor, eps: Tensor | float) -> Tensor:
    """Return w_i = 1/√(|∇x|_i² + ε²) (…,1,H,W), the weight of the edges from i downwards and to the right."""
    squared = torch.zeros_like(x[..., :1, :, :]) + eps**2
    for axis in AXES:
        _ends(squared, axis)[0].add_(x.diff(dim=axis).square_().sum(dim=-3, keepdim=True))
    return squared.rsqrt_()


def residual(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Return y_i − x_i + Σ_j w_ij (x_j − x_i), the neighbours j of every pixel i, like x; w as of `edge_weights`."""
    r = y - x
    for axis in AXES:
        first, second = _ends(r, axis)
        flow = x.diff(dim=axis).mul_(_ends(w, axis)[0])
        first.add_(flow)
        second.sub_(flow)
    return r


def degree(w: Tensor) -> Tensor:
    """Return Σ_j w_ij over the neighbours j of every pixel i, like w; w as of `edge_weights`."""
    total = torch.zeros_like(w)
    for axis in AXES:
        edge = _ends(w, axis)[0]
        for end in _ends(total, axis):
            end.add_(edge)
    return total


def fixed_point(x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ_j w_ij (N,1,H,W) and Σ_j w_ij x_j (N,C,H,W) over the neighbours j of every pixel i."""
    if available(x):
        from methods.classic.kernels import tv

        x = x.contiguous()
        total, weighted = torch.empty_like(x[:, :1], memory_format=torch.contiguous_format), torch.empty_like(x)
        for here, smooth, *out in zip(x.numpy(), eps.flatten().tolist(), total.numpy(), weighted.numpy(), strict=True):
            tv.fixed_point(here, here.dtype.type(smooth), *out)
        return total, weighted
    w = edge_weights(x, eps)
    weighted = torch.zeros_like(x)
    for axis in AXES:
        edge = _ends(w, axis)[0]
        first, second = _ends(x, axis)
        for end, other in zip(_ends(weighted, axis), (second, first), strict=True):
            end.addcmul_(edge, other)
    return degree(w), weighted


def _ends(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return the pixels at the start and at the end of every edge along an axis, as views."""
    return x.narrow(axis, 0, x.shape[axis] - 1), x.narrow(axis, 1, x.shape[axis] - 1)
