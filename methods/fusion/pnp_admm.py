"""Plug and play by the alternating direction method of multipliers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.fusion._data_step import data_step
from methods.fusion._plug_and_play import Scheduled


@dataclass(frozen=True)
class PnPADMM(Scheduled):
    """ADMM on ‖A x − y‖²/(2σ²) − log p(v), x = v, with a denoiser D in place of the prior's proximal map:

        x ← argmin_x ‖A x − y‖² + ρ_k ‖x − (v − u)‖²,   v ← D(x + u, σ_k),   u ← u + x − v,   ρ_k = λ σ²/σ_k²,

    k = 1 … K, σ_k log-spaced. When ρ grows, u, the multipliers over ρ, shrinks as much. One more data step makes x̂: in
    the eigenspace of AᵀA f = A⁺y, g = v − u and φ = ρ/(s² + ρ), ρ = `closing` · λ, as in the row `pnp`; without noise
    φ = 0 on the range of Aᵀ and 1 on the null space of A.

    Sources: S. V. Venkatakrishnan, C. A. Bouman and B. Wohlberg, "Plug-and-Play Priors for Model Based Reconstruction",
    GlobalSIP 2013; S. H. Chan, X. Wang and O. A. Elgendy, "Plug-and-Play ADMM for Image Restoration", IEEE TCI 3(1),
    2017, for a ρ that grows. Deviations: the levels are those of `pnp`, and u is scaled with them.
    """

    name: ClassVar[str] = "pnp-admm"
    summary: ClassVar[str] = "plug and play, ADMM with a denoiser as prior"
    citation: ClassVar[str] = (
        "S. V. Venkatakrishnan, C. A. Bouman, B. Wohlberg, Plug-and-play priors for model based reconstruction, 2013"
    )

    def restore(self, observation: Observation) -> Restoration:
        step = data_step(observation, self.name)
        levels, rho, end = self.schedule(observation)
        v = step.start
        u = torch.zeros_like(v)
        for level, (weight, following) in zip(levels, pairwise([*rho, rho[-1]]), strict=True):
            x = step(v - u, weight)
            v = self.denoised(x + u, level)
            u = (u + x - v) * (weight / following)
        return step.fused(v - u, end)
