"""What a prior is to BIGPrior; and for one with a φ-network, what f, g and φ are for one operator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.phi.implied import LEAST, without_own
from bigprior.phi.least_squares import LinearPhi
from bigprior.phi.network import PhiNetwork
from bigprior.precision import Precision
from datasets.observation import Observation
from datasets.task import Problem
from methods.base import noise_level

Network = PhiNetwork | LinearPhi
Scenes = Literal["bedroom", "church", "conference"]
Holes = Literal["center", "random"]


@dataclass(frozen=True)
class Choice:
    """The parameters of the row `bigprior`, apart from the name of its prior; see there."""

    precision: Precision
    draws: int
    generator: Scenes
    holes: Holes


class Prior(ABC):
    """A prior of the row `bigprior`."""

    problems: ClassVar[tuple[Problem, ...]]
    """What it can be asked about."""
    reads: ClassVar[tuple[str, ...]] = ()
    """The fields of `Choice` that it reads, beside the precision."""
    on_request: ClassVar[str | None] = None
    """Why it is left out on a CPU unless it is asked for."""

    @abstractmethod
    def weights(self, choice: Choice) -> tuple[Path, ...]:
        """Return the files that it reads."""

    def missing(self, choice: Choice) -> str | None:
        """Return what is not on this machine and how to get it, or None."""
        return None

    @abstractmethod
    def restore(self, observation: Observation, choice: Choice) -> Restoration:
        """Return the fusion of the data with the prior.

        Raises:
            ValueError: an operator that it does not know.
        """


@dataclass(frozen=True)
class Parts:
    """BIGPrior for one operator.

    Attributes:
        fidelity: Observation → f(y) (N,C,H,W), which no network made.
        belief: Observation, precision → the shipped priors' estimate of x given y (N,C,H,W).
        phi: name of the shipped φ-network in `bigprior/weights/`.
        load: reads its file.
        fuse: φ-network, Observation, f, belief → the fusion.
        free: Observation → (N,1,H,W), 1 where the data leave room for a prior and 0 where they are exact.
    """

    fidelity: Callable[[Observation], Tensor]
    belief: Callable[[Observation, Precision], Tensor]
    phi: str
    load: Callable[[Path], Network]
    fuse: Callable[[Network, Observation, Tensor, Tensor], Restoration]
    free: Callable[[Observation], Tensor]


def fused_with(network: Network, observation: Observation, f: Tensor, g: Tensor) -> Restoration:
    """Return the fusion of f and g with the φ of the network."""
    phi = network(f, g, observation.mask, noise_level(observation))
    return Restoration.fused(f, g, phi)


def fused_without_own(network: Network, observation: Observation, f: Tensor, restored: Tensor) -> Restoration:
    """Return D = E[x | y] as the fusion of y with g = (D − (1 − φ) y)/φ, φ at least `LEAST`; φ = 0 at σ = 0."""
    sigma = noise_level(observation)
    phi = network(f, restored, observation.mask, sigma).clamp_min(LEAST)
    noisy = (sigma > 0).view(-1, 1, 1, 1)
    return Restoration.fused(f, without_own(f, restored, phi), torch.where(noisy, phi, 0))
