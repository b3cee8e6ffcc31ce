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
from bigprior.priors.scene.samplers.pinned import begun, returned, stepped, travelled
from datasets.errors import SuiteError


@dataclass(frozen=True)
class Bridge(Sampler):
    """Steps of `pinned.stepped` towards a guess that is extrapolated from the last two:

        D̃ = D(x_t) + c h/h′ (D(x_t) − D(x_t′)),   h = ln(t/u), with h′ and x_t′ of the step before.

    If A = I, it begins at the noise of y, and draws are exact in the limit of many steps. Otherwise known components
    act on the others through D alone, which sees them with the noise of the level: the bias of all projections. So
    levels at which some data still pin the state (`pinned.travelled`) are passed `repeats` times, with c = 0: after the
    step the noise that it took is added again, and what is known and what is not can agree.

    Args:
        correction: c; 0 is the first order, 1/2 the second. With few steps, draws vary too little under 0.35, and too
            much over it.
        repeats: of each of these levels; the denoiser is asked as many times more.

    Source: C. Lu et al., "DPM-Solver++", arXiv 2211.01095 (SDE-DPM-Solver++(2M)); A. Lugmayr et al., "RePaint:
    Inpainting Using Denoising Diffusion Probabilistic Models", CVPR 2022, for the repetitions.
    """

    name: ClassVar[str] = "bridge"

    correction: float = 0.35
    repeats: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repeats < 1:
            raise SuiteError(f"bridge passes each level once or more often, not {self.repeats} times.")

    @torch.no_grad()
    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        """See `Sampler.sample`."""
        schedule = levels(self.steps, problem.largest_noise().clamp(WEAKEST, STRONGEST))
        x = begun(problem, schedule[0], white(random, problem))
        before = torch.zeros_like(x)
        for k, (strong, weak) in enumerate(pairwise(schedule)):
            back = travelled(problem, strong, weak) & (self.repeats > 1)
            for again in reversed(range(self.repeats if bool(back.any()) else 1)):
                of = back if again else None
                found = denoise(x, strong)
                guess = found
                if 0 < k < self.steps - 1:
                    stride = (strong / weak).log() / (schedule[k - 1] / strong).log()
                    guess = found + maps(torch.where(back, 0, self.correction * stride)) * (found - before)
                moved = stepped(problem, x, guess, strong, weak, white(random, problem, of))
                if again:
                    moved = torch.where(maps(back), returned(moved, strong, weak, white(random, problem, of)), x)
                x = moved
            before = found
        return x
