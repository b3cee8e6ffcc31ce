"""Total variation for every linear operator, by FISTA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic.tv import TINY, rof
from methods.fusion._data_step import data_step
from methods.fusion._plug_and_play import LINEAR

LIPSCHITZ = 1.0
"""L, no less than ‖AᵀA‖ of any operator of the suite: a mean of pixels, or a choice of them."""
TOLERANCE = 1e-3
"""Of a proximal map, in units of its λ: see `rof`."""


@dataclass(frozen=True)
class FistaTV(Method):
    """x̂ ≈ argmin_x ½‖A x − y‖² + λ Σ_i √(|∇x|_i² + ε²) by accelerated proximal gradient steps:

        x_k = prox(v − Aᵀ(A v − y)/L),   v = x_k + (t_{k−1} − 1)/t_k (x_k − x_{k−1}),   t_k = (1 + √(1 + 4 t²_{k−1}))/2,

    where prox is total variation denoising with λ/L (`methods.classic.tv.rof`: channels coupled, 0 across the border,
    ε = 0.05 λ/L).

    With noise x̂ = x_K, written as the data step that it is: with ρ = L, g = x_K + Aᵀ(A x_K − y)/L gives back
    (1 − φ) f + φ g = x_K for f = A⁺y and φ = L/(s² + L) in the eigenspace of AᵀA, s the singular value. At the
    minimiser that g is x̂ − λ/L ∇TV(x̂), a step of the prior alone. Without noise λ is that of σ = `floor`, and x̂ is the
    projection of x_K on the images with A x = y: φ = 0 on the range of Aᵀ and 1 on the null space of A. With a cropped
    blur both are up to the conjugate gradients of its data step.

    Source: A. Beck and M. Teboulle, "Fast Gradient-Based Algorithms for Constrained Total Variation Image Denoising and
    Deblurring Problems", IEEE TIP 18(11), 2009. Deviations: the proximal map by another method, smoothed by ε; a fixed
    number of steps.

    Args:
        scale, power: λ(σ) = scale · (255 σ/2.55)^power.
        floor: the least σ of λ, on the 0–255 scale.
        iterations: steps.
        sweeps: the most sweeps of a proximal map.
    """

    name: ClassVar[str] = "fista-tv"
    summary: ClassVar[str] = "total variation under any linear operator, accelerated proximal gradients"
    citation: ClassVar[str] = (
        "A. Beck, M. Teboulle, Fast gradient-based algorithms for constrained total variation image denoising and "
        "deblurring problems, IEEE TIP 2009"
    )
    problems: ClassVar[tuple[Problem, ...]] = LINEAR
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    scale: Annotated[float, Within(0, 10)] = 1.4e-3
    power: Annotated[float, Within(0.1, 10)] = 1.3
    floor: Annotated[float, Within(0, 255)] = 1.0
    iterations: Annotated[int, Within(1, 10_000)] = 40
    sweeps: Annotated[int, Within(1, 10_000)] = 20

    def strength(self, sigma: Tensor) -> Tensor:
        """Return λ for σ on the [0,1] scale."""
        return self.scale * (sigma.clamp(min=self.floor / 255) * 255 / 2.55) ** self.power

    def restore(self, observation: Observation) -> Restoration:
        step = data_step(observation, self.name)
        sigma = noise_level(observation)
        x = self.minimised(observation, step.start, self.strength(sigma)[:, None, None, None])
        rho = x.new_full((len(x), 1, 1, 1), LIPSCHITZ) * (sigma > 0)[:, None, None, None]
        return step.fused(x - rho.sign() * descent(observation, x), rho)

    def minimised(self, observation: Observation, start: Tensor, lam: Tensor) -> Tensor:
        """Return x_K; λ (N,1,1,1)."""
        eps = (0.05 * lam / LIPSCHITZ).clamp(min=TINY)
        x = v = start
        t = 1.0
        for _ in range(self.iterations):
            before, x = x, rof(v + descent(observation, v), lam / LIPSCHITZ, eps, self.sweeps, TOLERANCE)
            following = (1 + (1 + 4 * t**2) ** 0.5) / 2
            v = x + (t - 1) / following * (x - before)
            t = following
        return x


def descent(observation: Observation, x: Tensor) -> Tensor:
    """Return −Aᵀ(A x − y)/L."""
    operator = observation.operator
    return operator.adjoint(observation.y - operator.forward(x)) / LIPSCHITZ
