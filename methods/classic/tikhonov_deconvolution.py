"""Tikhonov regularisation of the gradient under a known blur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from bigprior.fusion import Restoration
from datasets.blur import CROPPED_DEBLURRING, PERIODIC_DEBLURRING
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._blurred import blurred
from methods.classic.tikhonov import squared_gradient


@dataclass(frozen=True)
class TikhonovDeconvolution(Method):
    """x̂ = argmin_x ‖A x − y‖² + λ‖∇x‖², ∇ the differences to the right and down, periodic, per channel.

    With a periodic blur this is, in the Fourier domain, φ = λ|D|²/(|k̂|² + λ|D|²), f = y/k̂ and g = 0, with
    |D|² = 4 − 2 cos ω₁ − 2 cos ω₂ and φ (N,1,H,W) in [0,1]; where |k̂| ≤ 10⁻³, f = 0 and φ = 1. With a cropped blur the
    minimiser comes from conjugate gradients, and the same fusion holds at it with f = w/k̂: w is y where it was seen,
    and K x̂, x̂ blurred, in the border (`Blurred`). λ = 0 at σ = 0.

    Source: A. N. Tikhonov, "Solution of incorrectly formulated problems and the regularization method", Soviet
    Mathematics Doklady 4, 1963.

    Args:
        scale, power: λ(σ) = scale · (255 σ/2.55)^power.
    """

    name: ClassVar[str] = "tikhonov-deconvolution"
    summary: ClassVar[str] = "quadratic penalty on the gradient, under a known blur"
    citation: ClassVar[str] = (
        "A. N. Tikhonov, Solution of incorrectly formulated problems and the regularization method, 1963"
    )
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING, CROPPED_DEBLURRING)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    scale: Annotated[float, Within(0, 1000)] = 0.01
    power: Annotated[float, Within(0.1, 10)] = 2.0

    def weight(self, sigma: Tensor) -> Tensor:
        """Return λ for σ on the [0,1] scale."""
        return self.scale * (sigma * 255 / 2.55) ** self.power

    def restore(self, observation: Observation) -> Restoration:
        seen = blurred(observation, self.name)
        weight = self.weight(noise_level(observation))[:, None, None, None]
        nothing = seen.y.new_zeros(1, 1, 1, 1)
        x = seen.solved(weight * seen.gradient_penalty(), nothing.expand_as(seen.y), seen.start())
        return seen.fused(seen.completed(x), nothing, weight * squared_gradient(seen.y))
