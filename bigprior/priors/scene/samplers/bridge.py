"""Ancestral steps of second order, pinned to the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Generator, Tensor

from bigprior.priors.scene.problem import LinearProblem
from bigprior.priors.scene.samplers.base import STRONGEST, WEAKEST, Denoiser, Sampler, levels, maps, white
from bigprior.priors.scene.samplers.pinned import begun, stepped


@dataclass(frozen=True)
class Bridge(Sampler):
    """Steps of `pinned.stepped` towards a guess that is extrapolated from the last two:

        D̃ = D(x_t) + c h/h′ (D(x_t) − D(x_t′)),   h = ln(t/u), with h′ and x_t′ of the step before.

    If A = I, it begins at the noise of y, and draws are exact in the limit of many steps. Otherwise known components
    act on the others through D alone, which sees them with the noise of the level: the bias of all projections.

    Args:
        correction: c; 0 is the first order, 1/2 the second. With few steps, draws vary too little under 0.35, and too
            much over it.

    Source: C. Lu et al., "DPM-Solver++", arXiv 2211.01095 (SDE-DPM-Solver++(2M)).
    """

    name: ClassVar[str] = "bridge"

    correction: float = 0.35

    @torch.no_grad()
    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        """See `Sampler.sample`."""
        schedule = levels(self.steps, problem.largest_noise().clamp(WEAKEST, STRONGEST))
        x = begun(problem, schedule[0], white(random, problem))
        before = torch.zeros_like(x)
        for k, (strong, weak) in enumerate(pairwise(schedule)):
            found = denoise(x, strong)
            guess = found
            if 0 < k < self.steps - 1:
                stride = (strong / weak).log() / (schedule[k - 1] / strong).log()
                guess = found + self.correction * maps(stride) * (found - before)
            x = stepped(problem, x, guess, strong, weak, white(random, problem))
            before = found
        return x
