"""The prior's part of BIGPrior, alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Identity, Masking, Observation
from methods.bigprior._compact import Compact, parts
from methods.supervised._trained import Precision


@dataclass(frozen=True)
class BigpriorPrior(Compact):
    """x̂ = g of the row `bigprior`: φ = 1 wherever the data are not exact, 0 at observed pixels of an image with holes.

    In denoising g is what is believed of a pixel without its own datum; in holes it is the result of `gated-cnn`, and
    for colours that of `chroma-cnn`.

    Attributes:
        precision: of the prior's convolutions.
    """

    name: ClassVar[str] = "bigprior-prior"
    summary: ClassVar[str] = "the prior's part of bigprior alone: what it believes of a pixel from all the others"
    citation: ClassVar[str] = "this suite, after Z. Kadkhodaie, E. P. Simoncelli, NeurIPS 2021"

    precision: Precision = "float32"

    def restore(self, observation: Observation) -> Restoration:
        fused = parts(observation, self.precision)
        assert fused.fidelity is not None
        assert fused.prior is not None
        return alone(observation, fused.fidelity, fused.prior)


def alone(observation: Observation, fidelity: Tensor, prior: Tensor) -> Restoration:
    """Return the fusion of f and g with φ = 1, but 0 where the data are exact: observed pixels, and σ known to be 0."""
    phi = torch.ones_like(observation.mask)
    if isinstance(observation.operator, Masking):
        phi = 1 - observation.mask
    elif isinstance(observation.operator, Identity) and observation.sigma is not None:
        phi = phi * (observation.sigma > 0).view(-1, 1, 1, 1)
    return Restoration.fused(fidelity, prior, phi)
