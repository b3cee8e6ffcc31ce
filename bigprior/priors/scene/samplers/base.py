"""What every sampler of the posterior offers, and what they share: noise, levels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from bigprior.priors.scene.problem import LinearProblem, Repeated
from datasets.errors import SuiteError

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(x, σ) → D(x; σ) = E[x₀ | x₀ + σ n = x], x (N,3,H,W), σ (N,)."""

STRONGEST, WEAKEST, BEND = 80.0, 0.002, 7.0
"""Ends of the schedule of noise levels, and the exponent that puts more of them at its weak end."""


@dataclass(frozen=True)
class Sampler(ABC):
    """Draws from p(x | y), of a prior that is known by its denoiser and a linear problem.

    The noise of an image and draw comes from a generator of its own, so that a draw is the same whatever else is in the
    batch, to the rounding of the batched arithmetic.

    Args:
        steps: evaluations of the denoiser per draw.
    """

    name: ClassVar[str]

    steps: int = 16

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise SuiteError(f"a sampler takes 2 steps or more, not {self.steps}.")

    @abstractmethod
    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        """Return one draw for each image of a problem (N,3,H,W), on the [-1,1] scale, not clipped.

        Args:
            random: a generator on the CPU for every image.

        Raises:
            ValueError: the sampler needs more of the operator than the problem knows.
        """

    def draws(self, denoise: Denoiser, problem: LinearProblem, seeds: Sequence[int], count: int) -> Tensor:
        """Return `count` draws of each image (K,N,3,H,W). The denoiser is asked for all at once: image kN + n.

        Args:
            seeds: one of each image.

        Raises:
            SuiteError: `count` is under 1.
            ValueError: see `sample`.
        """
        if count < 1:
            raise SuiteError(f"there is nothing in {count} draws: draws=1 is the least.")
        if len(seeds) != problem.shape[0]:
            raise ValueError(f"{len(seeds)} seeds for {problem.shape[0]} images")
        random = [generator(seed, k) for k in range(count) for seed in seeds]
        drawn = self.sample(denoise, Repeated(problem, count), random)
        return drawn.unflatten(0, (count, -1))


def generator(seed: int, draw: int) -> Generator:
    """Return the generator of a draw of an image, on the CPU."""
    state = int(np.random.SeedSequence([seed, draw]).generate_state(1, np.uint64)[0])
    return Generator().manual_seed(state >> 1)  # PyTorch takes 63 bits


def white(random: Sequence[Generator], problem: LinearProblem, of: Tensor | None = None) -> Tensor:
    """Return standard normal numbers of the shape of x, the same in every precision and on every device.

    Args:
        of: (N,) bool, images that get any; the others get 0, and their generators stay as they are.
    """
    asked = [True] * len(random) if of is None else of.tolist()
    shape = problem.shape[1:]
    drawn = [
        torch.randn(shape, generator=each, dtype=torch.float32) if wants else torch.zeros(shape)
        for each, wants in zip(random, asked, strict=True)
    ]
    return torch.stack(drawn).to(problem.y)


def levels(steps: int, start: Tensor) -> Tensor:
    """Return falling noise levels (steps+1,N) from `start` (N,) to WEAKEST, evenly spaced in σ^(1/7), and then 0.

    A start under twice WEAKEST falls to its half.

    Source: T. Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", NeurIPS 2022, eq. 5.
    """
    share = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)[:, None]
    first, last = start ** (1 / BEND), (start / 2).clamp_max(WEAKEST) ** (1 / BEND)
    between = (first + share * (last - first)) ** BEND
    return torch.cat([start[None], between[1:], torch.zeros_like(start)[None]])


def maps(values: Tensor) -> Tensor:
    """Return numbers of images (N,) as maps (N,1,1,1)."""
    return values[:, None, None, None]
