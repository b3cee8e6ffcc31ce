"""Deconvolution with a hyper-Laplacian prior on gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.blur import PERIODIC_DEBLURRING
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._blurred import blurred, differences, fused_gradient, towards_gradient

NEWTON = 6
"""Steps of Newton's method: quadratic from the right, they end at rounding."""


@dataclass(frozen=True)
class HyperLaplacian(Method):
    """x̂ ≈ argmin_x λ/2 ‖k ∗ x − y‖² + Σ |∇x|^α, by half-quadratic splitting; its last step for x is a fusion.

    ∇ are the differences downwards and to the right, periodic; |∇x|^α is summed over pixels, directions and channels.
    For β from 1 to `beta_max` by factors of 2√2

        v ← argmin_v |v|^α + β/2 (v − ∇x)²,   x ← argmin_x λ‖k ∗ x − y‖² + β‖∇x − v‖².

    The first is `least`, exact for every pixel; the second, in the Fourier domain, is f = y/k̂, g = ∇⁺v and
    φ = β|D|²/(λ|k̂|² + β|D|²), (N,1,H,W); where |k̂| ≤ 10⁻³, f = 0 and φ = 1. The restoration carries those of the
    last β. Without noise φ = 0 elsewhere.

    Source: D. Krishnan and R. Fergus, "Fast Image Deconvolution using Hyper-Laplacian Priors", NeurIPS 2009; β, its
    factor and one round for each β are theirs. Deviations: the step for v by Newton's method with the exact
    threshold in place of a table or the roots of a quartic; λ depends on σ and is chosen on training images, 2500 at
    σ = 0.01, where theirs is 2000; no taper at the border, as the blur is periodic.

    Args:
        alpha: α.
        weight, power: 1/λ = weight · (255 σ/2.55)^power.
        beta_max: the largest β.
    """

    name: ClassVar[str] = "hyper-laplacian"
    summary: ClassVar[str] = "a sparse prior on gradients, |∇x| to the power of 2/3, under a known blur"
    citation: ClassVar[str] = (
        "D. Krishnan and R. Fergus, Fast image deconvolution using hyper-Laplacian priors, NeurIPS 2009"
    )
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    alpha: Annotated[float, Within(0.1, 0.99)] = 2 / 3
    weight: Annotated[float, Within(0, 10)] = 4e-4
    power: Annotated[float, Within(0.1, 10)] = 1.7
    beta_max: Annotated[float, Within(1, 1e5)] = 256.0

    def restore(self, observation: Observation) -> Restoration:
        seen = blurred(observation, self.name)
        inverse = self.weight * (noise_level(observation)[:, None, None, None] * 255 / 2.55) ** self.power
        x, beta = seen.y, 1.0
        while True:
            target = least(differences(x), beta, self.alpha)
            if beta * 8**0.5 > self.beta_max:
                return fused_gradient(seen, seen.y, target, beta * inverse)
            x = towards_gradient(seen, seen.y, target, beta * inverse)
            beta *= 8**0.5


def least(v: Tensor, beta: float, alpha: float) -> Tensor:
    """Return argmin_w |w|^α + β/2 (w − v)² for every number v, 0 < α < 1.

    Up to |v| = t + α/β t^(α−1), t = (2(1 − α)/β)^(1/(2−α)), it is 0. Beyond, it is the largest root of
    α/β w^(α−1) + w − |v|, with the sign of v: that function is convex and positive at w = |v|, so Newton's method goes
    down to the root and never past it.
    """
    size = v.abs()
    turn = (2 * (1 - alpha) / beta) ** (1 / (2 - alpha))
    kept = size > turn + alpha / beta * turn ** (alpha - 1)
    w = size.clamp(min=turn)
    for _ in range(NEWTON):
        slope = alpha / beta * w ** (alpha - 1)
        w = (w - (slope + w - size) / (1 + (alpha - 1) * slope / w)).clamp(min=turn)
    return torch.where(kept, w * v.sign(), 0)
