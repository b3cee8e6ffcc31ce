"""Total variation under a known blur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.blur import CROPPED_DEBLURRING, PERIODIC_DEBLURRING
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._blurred import Blurred, blurred, differences, fused_gradient, towards_gradient


@dataclass(frozen=True)
class TVDeconvolution(Method):
    """x̂ = argmin_x ½‖A x − y‖² + λ Σ_i |∇x|_i, by ADMM on v = ∇x; its last step for x is a fusion.

    ∇ are the differences downwards and to the right, periodic; |∇x|_i is their norm over both directions and, in
    colour, over the channels. With μ = λ/`threshold`, u the scaled multipliers and w = y + (1 − M) K x
    (`Blurred`; w = y for a periodic blur) a round is

        x ← argmin ‖K x − w‖² + μ‖∇x − (v − u)‖²,   v ← shrink(∇x + u, λ/μ),   u ← u + ∇x − v.

    The step for x is, in the Fourier domain, f = w/k̂, φ = μ|D|²/(|k̂|² + μ|D|²), (N,1,H,W), and g = ∇⁺(v − u), the image
    whose gradient is nearest to v − u. The image that is returned is that of the last such step, so it is the fusion of
    its parts to the last bit. φ is that of the step: μ says how fast the rounds go and not where to, and at the
    minimiser g differs from x̂ by λ/μ times the gradient of total variation, in the least squares of ∇.

    With a cropped blur the step for x minimises what lies above the objective and touches it at the last x; that is
    proximal ADMM, which converges to the same minimiser. λ = 0 and x̂ = A⁺y at σ = 0, for a periodic blur.

    Sources: L. Rudin, S. Osher and E. Fatemi, "Nonlinear Total Variation Based Noise Removal Algorithms", Physica D
    60, 1992; Y. Wang, J. Yang, W. Yin and Y. Zhang, "A New Alternating Minimization Algorithm for Total Variation Image
    Reconstruction", SIAM J. Imaging Sciences 1(3), 2008; S. Boyd et al., "Distributed Optimization and Statistical
    Learning via the Alternating Direction Method of Multipliers", 2011.

    Args:
        scale, power: λ(σ) = scale · (255 σ/2.55)^power.
        threshold: λ/μ, what a round takes off every |∇x|.
        iterations: rounds.
    """

    name: ClassVar[str] = "tv-deconvolution"
    summary: ClassVar[str] = "total variation under a known blur, channels coupled"
    citation: ClassVar[str] = (
        "L. Rudin, S. Osher and E. Fatemi, Nonlinear Total Variation Based Noise Removal Algorithms, Physica D, 1992"
    )
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING, CROPPED_DEBLURRING)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    scale: Annotated[float, Within(0, 10)] = 1.4e-3
    power: Annotated[float, Within(0.1, 10)] = 1.5
    threshold: Annotated[float, Within(1e-4, 1)] = 0.05
    iterations: Annotated[int, Within(1, 10_000)] = 60

    def strength(self, sigma: Tensor) -> Tensor:
        """Return λ for σ on the [0,1] scale."""
        return self.scale * (sigma * 255 / 2.55) ** self.power

    def restore(self, observation: Observation) -> Restoration:
        seen = blurred(observation, self.name)
        lam = self.strength(noise_level(observation))[:, None, None, None]
        return self.minimised(seen, lam / self.threshold)

    def minimised(self, seen: Blurred, weight: Tensor) -> Restoration:
        """Return the last step for x; `weight` is μ (N,1,1,1)."""
        x = seen.start()
        observed, target = seen.completed(x), torch.zeros_like(differences(x))
        multipliers = torch.zeros_like(target)
        for round_ in range(self.iterations):
            if round_:
                x = towards_gradient(seen, observed, target, weight)
                observed = seen.completed(x)
            moved = differences(x) + multipliers
            norm = moved.square().sum(dim=(1, 2), keepdim=True).sqrt()
            split = moved * (1 - self.threshold / norm.clamp(min=self.threshold))
            multipliers = moved - split
            target = split - multipliers
        return fused_gradient(seen, observed, target, weight)
