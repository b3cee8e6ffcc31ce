"""DPS: guidance by the gradient of the data term through the denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bigprior.priors.scene.problem import LinearProblem
from bigprior.priors.scene.samplers.base import STRONGEST, Denoiser, Sampler, levels, maps, white
from datasets.errors import SuiteError


@dataclass(frozen=True)
class DPS(Sampler):
    """Ancestral steps towards the guess, which the data corrects through the denoiser's derivative J = ∂D/∂x:

        x̂ = D(x_t) + ζ Jᵀ(x_t) t² Aᵀ(t² A Aᵀ + σ² I)⁻¹ (y − A D(x_t)),
        x_u = k x_t + (1 − k) x̂ + u √(1 − k) ε,   k = u²/t².

    The correction is t² times the gradient of log p(y | x_t) where x₀ given x_t is N(D, t² I). Each step also asks for
    a derivative: about three times the seconds of the other samplers. Where y is exact, the last guess is projected.

    Args:
        strength: ζ.

    Source: H. Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", ICLR 2023. Deviations:
    the residual is weighted by its covariance, as in J. Song et al., "Pseudoinverse-Guided Diffusion Models for Inverse
    Problems", ICLR 2023, not by its norm, so that the strength has not to be tuned; the variance-exploding process.
    """

    name: ClassVar[str] = "dps"

    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.strength > 0:
            raise SuiteError(f"dps takes a strength over 0, not {self.strength}.")

    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        """See `Sampler.sample`."""
        exact = maps(problem.sigma == 0)
        schedule = levels(self.steps, torch.full_like(problem.sigma, STRONGEST))
        x = maps(schedule[0]) * white(random, problem)
        for strong, weak in pairwise(schedule):
            guess = self._guided(denoise, problem, x, strong)
            kept = maps((weak / strong).square())
            x = kept * x + (1 - kept) * guess + maps(weak) * (1 - kept).sqrt() * white(random, problem)
        return torch.where(exact, problem.project(x), x)

    def _guided(self, denoise: Denoiser, problem: LinearProblem, x: Tensor, level: Tensor) -> Tensor:
        """x̂."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            state = x.clone().requires_grad_()
            guess = denoise(state, level.clone())
            with torch.no_grad():
                found = guess.detach()
                correction = problem.prox(found, (problem.sigma / level).square()) - found
            (pulled,) = torch.autograd.grad(guess, state, correction)
        return found + self.strength * pulled
