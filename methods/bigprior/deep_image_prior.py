"""The prior of an untrained network, alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from bigprior.domains import LumaChroma
from bigprior.fusion import Restoration
from bigprior.priors.deep_image_prior import DENOISING, INPAINTING, DeepImagePrior, Settings
from datasets.observation import Luma, Masking, Observation
from methods.base import Method
from methods.noise import estimate_sigma


@dataclass(frozen=True)
class DeepImagePriorAlone(Method):
    """x̂ = g where the data leave room: φ = 1 under noise (0 at σ = 0), in a hole, and on chroma.

    g is `bigprior.priors.deep_image_prior.DeepImagePrior`, with its settings per task. Inpainting keeps observed pixels
    and colorization the luma. In blind denoising σ, which only the stopping rule needs, is estimated.

    Args:
        denoising, inpainting: the settings of the network and of the descent.
        iterations: the most steps; the published 1800 and 5000 if None.
        tau: τ of the stopping rule; 0 turns it off.
        seed: of the network's start.
    """

    name: ClassVar[str] = "deep-image-prior"
    summary: ClassVar[str] = "an untrained network fitted to the one image, stopped before it fits the noise"
    citation: ClassVar[str] = "D. Ulyanov, A. Vedaldi, V. Lempitsky, Deep Image Prior, CVPR 2018"
    tasks: ClassVar[tuple[str, ...]] = ("denoise", "inpaint-center", "inpaint-random", "colorize")
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    warm_up: ClassVar[bool] = False
    on_request: ClassVar[str | None] = "takes an hour or more per 256×256 image on a CPU"

    denoising: Settings = DENOISING
    inpainting: Settings = INPAINTING
    iterations: int | None = None
    tau: float = 1.0
    seed: int = 0

    def restore(self, observation: Observation) -> Restoration:
        sigma = observation.sigma
        if sigma is None:
            sigma = estimate_sigma(observation.y)
        prior = DeepImagePrior(self.denoising, self.inpainting, self.iterations, self.tau, self.seed)
        g = prior.invert(replace(observation, sigma=sigma)).image
        if isinstance(observation.operator, Masking):
            return Restoration.fused(observation.fidelity, g, 1 - observation.mask)
        if isinstance(observation.operator, Luma):
            domain = LumaChroma()
            coordinates = domain.analysis(observation.fidelity)
            phi = g.new_tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1).expand_as(coordinates)
            return Restoration.fused(coordinates, domain.analysis(g), phi, domain)
        noisy = (sigma > 0).to(g.dtype).view(-1, 1, 1, 1)
        return Restoration.fused(observation.fidelity, g, noisy * torch.ones_like(observation.mask))
