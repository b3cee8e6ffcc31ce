"""BIGPrior with the generative prior of scenes, whose draws say how far to trust it; alone, or beside the experts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.domains import Pixel
from bigprior.draws import Sampled
from bigprior.phi.network import shipped
from bigprior.phi.simplex import as_one
from bigprior.phi.with_spread import Evidence, SpreadPhi, load_spread
from bigprior.precision import Precision
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.base import noise_level
from methods.fusion._experts import EXPERTS, Experts
from methods.fusion._parts import Choice, Prior
from methods.fusion.posterior import Posterior

EXPERT = Experts()
PHI: dict[type[Operator], str] = {Identity: "denoise", Masking: "inpaint", Luma: "colorize"}
"""Operator → the end of the name of its φ."""


def scene_draws(observation: Observation, draws: int, precision: Precision) -> tuple[Tensor, Tensor]:
    """Return g (N,C,H,W), the mean of the draws or for colours their median, and the draws (K,N,C,H,W)."""
    sampled = Posterior(draws=draws, precision=precision).restore(observation)
    assert sampled.prior is not None
    return sampled.prior, sampled.draws


def variance_of(draws: Tensor) -> Tensor:
    """Return the variance over draws (K,N,C,H,W) per pixel (N,1,H,W), unbiased, its mean over channels."""
    return draws.var(dim=0).mean(dim=1, keepdim=True)


def evidence(observation: Observation, f: Tensor, priors: Tensor, spread: Tensor, draws: int) -> Evidence:
    """Return what φ is learned from and decided on.

    Args:
        f: f(y) (N,C,H,W).
        priors: (K,N,C,H,W), the scene prior's image first; others do not draw.
        spread: variance over draws of the scene prior (N,1,H,W).
        draws: how many there are.
    """
    variance = torch.stack([spread, *(torch.zeros_like(spread) for _ in priors[1:])])
    counts = torch.tensor([draws, *(1 for _ in priors[1:])])
    free = EXPERTS[type(observation.operator)].free(observation)
    return Evidence(f, priors, variance, counts, free, noise_level(observation))


@cache
def _phi(name: str, priors: int, device: torch.device) -> SpreadPhi:
    return load_spread(shipped(name), priors).to(device)


Others = Callable[[Observation, Choice], tuple[Tensor, ...]]
"""Gives the images of the priors beside that of scenes."""


def no_other(observation: Observation, choice: Choice) -> tuple[Tensor, ...]:
    """Return nothing."""
    return ()


def the_expert(observation: Observation, choice: Choice) -> tuple[Tensor, ...]:
    """Return the expert's estimate."""
    return (EXPERTS[type(observation.operator)].belief(observation, choice.precision),)


@dataclass(frozen=True)
class Scene(Prior):
    """The scene prior, and others beside it, on the simplex of their shares.

    Args:
        stem: the beginning of the name of its φ.
        others: the priors beside it.
        count: of all priors.
        files: of the others.
    """

    stem: str = "phi-scene"
    others: Others = no_other
    count: int = 1
    files: Callable[[Choice], tuple[Path, ...]] = lambda choice: ()

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    reads: ClassVar[tuple[str, ...]] = ("draws",)
    on_request: ClassVar[str | None] = Posterior.on_request

    def weights(self, choice: Choice) -> tuple[Path, ...]:
        phi = (shipped(f"{self.stem}-{end}") for end in PHI.values())
        return (*Posterior().weights(), *phi, *self.files(choice))

    def restore(self, observation: Observation, choice: Choice) -> Sampled:
        end = by_operator(PHI, observation.operator, "bigprior")
        f = EXPERTS[type(observation.operator)].fidelity(observation)
        g, draws = scene_draws(observation, choice.draws, choice.precision)
        priors = torch.stack([g, *self.others(observation, choice)])
        found = evidence(observation, f, priors, variance_of(draws), len(draws))
        with torch.no_grad():
            phi = _phi(f"{self.stem}-{end}", self.count, f.device)(found)
        one = as_one(f, priors, phi)
        return Sampled(one.image, one.fidelity, one.prior, one.phi, Pixel(), draws)


SCENE = Scene()
BOTH = Scene("phi-both", the_expert, 2, EXPERT.weights)
