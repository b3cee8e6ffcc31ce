"""The prior of an untrained network, alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.domains import LumaChroma
from bigprior.fusion import Restoration
from bigprior.priors.deep_image_prior import DENOISING as DENOISING_SETTINGS
from bigprior.priors.deep_image_prior import INPAINTING as INPAINTING_SETTINGS
from bigprior.priors.deep_image_prior import DeepImagePrior, Settings
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator
from datasets.spec import Within
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.base import Method, noise_level


def under_noise(observation: Observation, g: Tensor) -> Restoration:
    """Fuse y and g with φ = 1, but 0 at σ = 0."""
    noisy = (noise_level(observation) > 0).to(g.dtype).view(-1, 1, 1, 1)
    return Restoration.fused(observation.fidelity, g, noisy * torch.ones_like(observation.mask))


def in_holes(observation: Observation, g: Tensor) -> Restoration:
    """Fuse y and g with φ = 1 in the hole alone."""
    return Restoration.fused(observation.fidelity, g, 1 - observation.mask)


def on_chroma(observation: Observation, g: Tensor) -> Restoration:
    """Fuse y and g in (Y, B−Y, R−Y) with φ = 1 on chroma alone."""
    domain = LumaChroma()
    coordinates = domain.analysis(observation.fidelity)
    phi = g.new_tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1).expand_as(coordinates)
    return Restoration.fused(coordinates, domain.analysis(g), phi, domain)


FUSED: dict[type[Operator], Callable[[Observation, Tensor], Restoration]] = {
    Identity: under_noise,
    Masking: in_holes,
    Luma: on_chroma,
}
"""Operator → how y and g are fused."""


@dataclass(frozen=True)
class DeepImagePriorAlone(Method):
    """x̂ = g where the data leave room: φ = 1 under noise (0 at σ = 0), in a hole, and on chroma.

    g is `bigprior.priors.deep_image_prior.DeepImagePrior`, with its settings per operator. Inpainting keeps observed
    pixels and colorization the luma. In blind denoising σ, which only the stopping rule needs, is estimated.

    Args:
        denoising, inpainting: the settings of the network and of the descent.
        iterations: the most steps; none: the published 1800 and 5000.
        tau: τ of the stopping rule; 0 turns it off.
        seed: of the network's start.

    Raises:
        ValueError: (from `restore`) an operator that is not in `FUSED`.
    """

    name: ClassVar[str] = "deep-image-prior"
    summary: ClassVar[str] = "an untrained network fitted to the one image, stopped before it fits the noise"
    citation: ClassVar[str] = "D. Ulyanov, A. Vedaldi, V. Lempitsky, Deep Image Prior, CVPR 2018"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    warm_up: ClassVar[bool] = False
    on_request: ClassVar[str | None] = "takes an hour or more per 256×256 image on a CPU"

    denoising: Settings = DENOISING_SETTINGS
    inpainting: Settings = INPAINTING_SETTINGS
    iterations: Annotated[int, Within(0)] | None = None
    tau: Annotated[float, Within(0)] = 1.0
    seed: Annotated[int, Within(0)] = 0

    def restore(self, observation: Observation) -> Restoration:
        fused = by_operator(FUSED, observation.operator, self.name)
        if observation.sigma is None:
            observation = observation.told(Gaussian(noise_level(observation)))
        prior = DeepImagePrior(self.denoising, self.inpainting, self.iterations, self.tau, self.seed)
        return fused(observation, prior.invert(observation).image)
