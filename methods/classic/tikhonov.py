"""Tikhonov regularisation of the gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.domains import Fourier
from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level


@dataclass(frozen=True)
class Tikhonov(Method):
    """x̂ = argmin_x ‖x − y‖² + λ‖∇x‖², ∇ the forward differences to the right and down, periodic, per channel.

    Solved in the Fourier domain, where f = F y, g = 0 and φ = λ|D|²/(1 + λ|D|²), (N,1,H,W) in [0,1), with
    |D|² = 4 − 2 cos ω₁ − 2 cos ω₂. In pixels the same x̂ is the fixed point of a fusion with φ = 4λ/(1 + 4λ) and g the
    mean of the four neighbours of x̂ (a Gaussian Markov random field). λ = 0 and x̂ = y at σ = 0.

    Source: A. N. Tikhonov, "Solution of incorrectly formulated problems and the regularization method", Soviet
    Mathematics Doklady 4, 1963.

    Args:
        scale, power: λ(σ) = scale · (255 σ/25)^power.
    """

    name: ClassVar[str] = "tikhonov"
    summary: ClassVar[str] = "quadratic penalty on the gradient"
    citation: ClassVar[str] = (
        "A. N. Tikhonov, Solution of incorrectly formulated problems and the regularization method, 1963"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    scale: Annotated[float, Within(0, 1000)] = 0.8
    power: Annotated[float, Within(0.1, 10)] = 1.7

    def weight(self, sigma: Tensor) -> Tensor:
        """Return λ for σ on the [0,1] scale."""
        return self.scale * (sigma * 255 / 25) ** self.power

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        penalty = self.weight(noise_level(observation))[:, None, None, None] * squared_gradient(y)
        domain = Fourier()
        return Restoration.fused(domain.analysis(y), y.new_zeros(1, 1, 1, 1), penalty / (1 + penalty), domain)


def squared_gradient(y: Tensor) -> Tensor:
    """Return |D|² (H,W), the eigenvalues of ∇ᵀ∇ on the periodic grid of y."""
    rows, cols = (2 * math.pi * torch.fft.fftfreq(n, dtype=y.dtype, device=y.device) for n in y.shape[-2:])
    # 4 sin²(ω/2) = 2 − 2 cos ω without the cancellation near 0.
    return 4 * (rows[:, None] / 2).sin().square() + 4 * (cols[None, :] / 2).sin().square()
