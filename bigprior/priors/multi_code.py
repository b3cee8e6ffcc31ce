"""Inversion of a GAN by several codes whose feature maps are composed at a layer; by one code as the simplest case.

J. Gu, Y. Shen, B. Zhou, "Image Processing Using Multi-Code GAN Prior", CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bigprior.priors.gan_inversion import GanInversion
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator


@dataclass(frozen=True)
class MultiCode(GanInversion):
    """g = G₂(1/K Σ_k α_k ⊙ G₁(z_k)), over codes z_k and weights α_k of the channels at the composing layer.

    G₁ are the layers before the composing layer, G₂ the others. z_k starts from N(0, I), α_k at 1/K. With one code α
    stays 1: plain inversion over z.

    The defaults are the published ones for denoising and inpainting: 30 codes at layer 4, steepest descent with step 1,
    3000 iterations, L2 + 0.1·perceptual; `published` gives colorization its 20 codes at layer 6. Deviation: the
    scripts of the authors and of BIGPrior run colorization with 1500 iterations and a perceptual weight of 1; it has
    the settings of the other tasks here unless those two fields are given.

    All codes of all images pass G₁ as one batch. Latents: z (N,K,Z) and, for K > 1, α (N,K,C).

    Args:
        codes: K.
        layer: the composing layer, the number of layers in G₁.
    """

    codes: int = 30
    layer: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.layer <= self.generator.layers:
            raise ValueError(f"layer {self.layer}: the generator has layers 1 to {self.generator.layers}")
        if self.codes < 1:
            raise ValueError(f"{self.codes} codes: at least one is needed")

    def start(self, count: int) -> list[Tensor]:
        z = self.codes_at(count, self.codes)
        if self.codes == 1:
            return [z]
        channels = self.generator.shape(self.layer)[0]
        return [z, torch.full((count, self.codes, channels), 1 / self.codes, device=z.device, dtype=z.dtype)]

    def render(self, latents: Sequence[Tensor]) -> Tensor:
        z, *weights = latents
        maps = self.generator.features(z.flatten(0, 1), self.layer).unflatten(0, z.shape[:2])
        if weights:
            composed = torch.einsum("nkchw,nkc->nchw", maps.to(z.dtype), weights[0]) / self.codes
        else:
            composed = maps[:, 0].to(z.dtype)
        return self.generator.image(composed, self.layer)


PUBLISHED: dict[type[Operator], tuple[int, int]] = {Identity: (30, 4), Masking: (30, 4), Luma: (20, 6)}
"""Operator → the published number of codes and composing layer."""


def published(observation: Observation) -> tuple[int, int]:
    """Return the published number of codes and composing layer for an observation.

    Raises:
        ValueError: there are none for its operator.
    """
    return by_operator(PUBLISHED, observation.operator, "multi-code inversion")
