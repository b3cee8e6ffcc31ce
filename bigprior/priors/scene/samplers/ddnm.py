"""DDNM: the prior's guess projected on the data, with noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bigprior.priors.scene.problem import LinearProblem
from bigprior.priors.scene.samplers.base import STRONGEST, Denoiser, Sampler, levels, maps, white
from bigprior.priors.scene.samplers.pinned import begun, decisive, returned, stepped
from datasets.errors import SuiteError


@dataclass(frozen=True)
class DDNM(Sampler):
    """Every guess is projected on the data, x̂ = A⁺y + (I − A⁺A) D(x_t), before an ancestral step (`pinned.stepped`).

    Where y is exact, levels from 0.2 to 20 are passed `repeats` times: after the step, the noise that it took is added
    again, so that what is known and what is not can agree. (Where y is noisy, this would take away what y has said.)

    Args:
        repeats: of each of these levels; the denoiser is asked as many times more.

    Source: Y. Wang, J. Yu and J. Zhang, "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model", ICLR
    2023, with travel length 1. Deviations: the variance-exploding process; components with noise are pinned at their
    own level. DDNM+ takes the noise of y for a new one in every step, and with many steps keeps it.
    """

    name: ClassVar[str] = "ddnm"

    repeats: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repeats < 1:
            raise SuiteError(f"ddnm passes each level once or more often, not {self.repeats} times.")

    @torch.no_grad()
    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        """See `Sampler.sample`."""
        schedule = levels(self.steps, torch.full_like(problem.sigma, STRONGEST))
        exact = maps(problem.sigma == 0)
        x = begun(problem, schedule[0], white(random, problem))
        for strong, weak in pairwise(schedule):
            for again in reversed(range(self.repeats if bool(decisive(strong, weak).any()) else 1)):  # the same for all
                moved = stepped(problem, x, denoise(x, strong), strong, weak, white(random, problem))
                back = returned(moved, strong, weak, white(random, problem))
                x = torch.where(exact, back, x) if again else moved
        return x
