"""Total variation super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.blur import DECIMATION
from datasets.observation import Observation
from datasets.resize import BICUBIC_REDUCTION
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._gradient import divergence, gradient
from methods.classic._reduction import enlarged, fused, singular


@dataclass(frozen=True)
class TVSuperResolution(Method):
    """min_x λ Σ_i |∇x|_i + ½ ‖A x − y‖²; without noise, least total variation with A x = y.

    |∇x|_i is the length of the forward differences of pixel i in both directions and all channels, 0 across the
    border. Primal-dual steps, from the bicubic enlargement, x₋ the x before,

        p ← P(p + ∇(2x − x₋)/(8τ)),   g = x − τ ∇ᵀp,   x ← argmin_x ‖A x − y‖² + (λ/τ) ‖x − g‖²,

    P the projection of every p_i on the unit ball. The last step is the fusion: in the coordinates Vᵀx of
    A = U diag(a) Vᵀ, φ = ε/(a² + ε) with ε = λ/τ on the range of Aᵀ (0 without noise), 1 on the null space, f = Uᵀy/a,
    and g the image before it. It holds whether or not the steps have converged. λ = strength · σ.

    Args:
        strength: λ/σ.
        step: τ.
        iterations: of the primal-dual steps.

    Sources: A. Marquina and S. J. Osher, "Image Super-Resolution by TV-Regularization and Bregman Iteration", Journal
    of Scientific Computing 37(3), 2008, for the model; A. Chambolle and T. Pock, "A First-Order Primal-Dual Algorithm
    for Convex Problems with Applications to Imaging", Journal of Mathematical Imaging and Vision 40(1), 2011, for the
    steps. Deviation: channels are coupled.
    """

    name: ClassVar[str] = "tv-super-resolution"
    summary: ClassVar[str] = "least total variation among the images that explain the small one"
    citation: ClassVar[str] = (
        "A. Marquina and S. J. Osher, Image Super-Resolution by TV-Regularization and Bregman Iteration, Journal of "
        "Scientific Computing, 2008"
    )
    problems: ClassVar[tuple[Problem, ...]] = (BICUBIC_REDUCTION, DECIMATION)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    strength: Annotated[float, Within(0, 100)] = 0.25
    step: Annotated[float, Within(1e-4, 10)] = 0.02
    iterations: Annotated[int, Within(1, 100_000)] = 60

    def restore(self, observation: Observation) -> Restoration:
        parts = singular(observation, self.name)
        ratio = (self.strength / self.step * noise_level(observation)).view(-1, 1, 1, 1)
        x = ahead = enlarged(observation, "bicubic", self.name)
        p = torch.zeros_like(gradient(x))
        g: Tensor = x
        for _ in range(self.iterations):
            p = p + gradient(ahead) / (8 * self.step)
            p = p / p.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp(min=1)
            g = x + self.step * divergence(p)
            before, x = x, parts.data_step(observation.y, g, ratio)
            ahead = 2 * x - before
        return fused(observation, parts, g, parts.reliance(ratio))
