"""DiffPIR: plug and play with a diffusion model as the denoiser."""

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
class DiffPIR(Sampler):
    """Half-quadratic splitting along the noise levels: every guess is followed by the data's proximal point,

        x̂ = argmin_x ‖A x − y‖² + λ(σ²/t²) ‖x − D(x_t)‖²,
        x_u = x̂ + u (√(1 − ζ) (x_t − x̂)/t + √ζ ε).

    Where y is exact, x̂ is the projection of the guess on the data, and so is the result.

    Args:
        weight: λ, of the prior.
        share: ζ in [0,1], of the fresh noise.

    Source: Y. Zhu et al., "Denoising Diffusion Models for Plug-and-Play Image Restoration", CVPR Workshops 2023.
    Deviation: the variance-exploding process, in which x_t = x₀ + t n.
    """

    name: ClassVar[str] = "diffpir"

    weight: float = 1.0
    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weight > 0 or not 0 <= self.share <= 1:
            raise SuiteError(f"diffpir takes a weight over 0 and a share in [0,1], not {self.weight}, {self.share}.")

    @torch.no_grad()
    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        """See `Sampler.sample`."""
        schedule = levels(self.steps, torch.full_like(problem.sigma, STRONGEST))
        x = maps(schedule[0]) * white(random, problem)
        for strong, weak in pairwise(schedule):
            guess = problem.prox(denoise(x, strong), self.weight * (problem.sigma / strong).square())
            kept = (1 - self.share) ** 0.5 * (x - guess) / maps(strong)
            x = guess + maps(weak) * (kept + self.share**0.5 * white(random, problem))
        return x
