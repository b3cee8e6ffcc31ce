"""Regularisation by denoising."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from methods.base import noise_level
from methods.fusion._data_step import data_step
from methods.fusion._plug_and_play import FLOOR, PlugAndPlay


@dataclass(frozen=True)
class RED(PlugAndPlay):
    """Fixed points of A^T(A x − y)/σ² + λ (x − D(x)) = 0, D a denoiser, by the paper's fixed-point iteration

        x ← argmin_x ‖A x − y‖² + ρ‖x − D(x)‖²  with D(x) held,   ρ = λ σ².

    So every round ends with a data step, and the last makes x̂: in the eigenspace of AᵀA f = A⁺y, g = D(x) and
    φ = ρ/(s² + ρ), s the singular value. If D is differentiable, scales with its input and has a symmetric Jacobian,
    a fixed point minimises ‖A x − y‖²/(2σ²) + λ/2 xᵀ(x − D(x)); most denoisers are not so, and the equation is all
    that holds (E. T. Reehorst and P. Schniter, "Regularization by Denoising: Clarifications and New Interpretations",
    IEEE TCI 2019). Without noise ρ = 0 in the last step.

    Source: Y. Romano, M. Elad and P. Milanfar, "The Little Engine That Could: Regularization by Denoising (RED)", SIAM
    J. Imaging Sciences 10(4), 2017. Deviations: the denoiser; fewer rounds (theirs: 200), from its own level on.

    Args:
        iterations: rounds, each with one call of the denoiser.
        level: σ that the denoiser is told, on the 0–255 scale.
        weight: ρ = weight · (σ/2.55)², σ on the 0–255 scale and at least 0.255.
    """

    name: ClassVar[str] = "red"
    summary: ClassVar[str] = "regularisation by denoising, fixed-point iteration"
    citation: ClassVar[str] = "Y. Romano, M. Elad, P. Milanfar, The little engine that could, SIAM J. Imaging Sci. 2017"

    iterations: Annotated[int, Within(1, 1000)] = 12
    level: Annotated[float, Within(0.1, 255)] = 12.0
    weight: Annotated[float, Within(1e-9, 100)] = 0.1

    def restore(self, observation: Observation) -> Restoration:
        step = data_step(observation, self.name)
        sigma = noise_level(observation)
        told = sigma.new_full((len(sigma),), self.level / 255)
        end = (self.weight * (255 / 2.55 * sigma).square())[:, None, None, None]
        rho = end.clamp(min=self.weight * (FLOOR / 2.55) ** 2)
        x = step(step.start, rho)
        for _ in range(self.iterations - 1):
            x = step(self.denoised(x, told), rho)
        return step.fused(self.denoised(x, told), end)
