"""Hand-weighted fusion of the data with BM3D's image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic.collaborative import CollaborativeWiener


@dataclass(frozen=True)
class BM3DFusion(Method):
    """x̂ = (1 − φ) y + φ BM3D(y) with one constant φ, the prior image being `collaborative-wiener`'s; φ = 0 at σ = 0.

    Source: the fusion of M. El Helou and S. Süsstrunk, "BIGPrior", IEEE TIP 2022, with φ set by hand instead of
    learned, and BM3D (K. Dabov et al., IEEE TIP 2007) as the prior.

    Args:
        phi: reliance on BM3D; 1 is plain BM3D.
    """

    name: ClassVar[str] = "bm3d-fusion"
    summary: ClassVar[str] = "the data and BM3D's image, mixed with one constant weight"
    citation: ClassVar[str] = (
        "M. El Helou and S. Süsstrunk, BIGPrior, IEEE TIP 2022, with a constant φ; prior: K. Dabov et al., BM3D, 2007"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    phi: Annotated[float, Within(0, 1)] = 0.98

    def remarks(self) -> tuple[str, ...]:
        return CollaborativeWiener().remarks()

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        sigma = noise_level(observation)
        phi = torch.where(sigma > 0, self.phi, 0.0).to(y)[:, None, None, None].expand_as(y[:, :1])
        return Restoration.fused(y, CollaborativeWiener().restore(observation).image, phi)
