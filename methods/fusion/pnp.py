"""Plug and play by half-quadratic splitting, with DPIR's schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.fusion._data_step import data_step
from methods.fusion._plug_and_play import Scheduled


@dataclass(frozen=True)
class PnP(Scheduled):
    """Half-quadratic splitting of ‖A x − y‖²/(2σ²) − log p(x) with a denoiser D in place of the prior:

        z_k = argmin_x ‖A x − y‖² + ρ_k ‖x − x_{k−1}‖²,   x_k = D(z_k, σ_k),   ρ_k = λ σ²/σ_k²,

    k = 1 … K, σ_k log-spaced from 49/255 to σ, λ = 0.6. The data step is exact for every operator (`_data_step`). One
    more, from x_K, makes x̂: in the eigenspace of AᵀA f = A⁺y, g = x_K and φ = ρ/(s² + ρ), s the singular value and
    ρ = `closing` · λ; in [0,1], in the shape of the domain's coordinates. Without noise ρ = 0: φ = 0 on the range of Aᵀ
    and 1 on the null space of A, so A x̂ = y, as in DDNM.

    Sources: K. Zhang, Y. Li, W. Zuo, L. Zhang, L. Van Gool and R. Timofte, "Plug-and-Play Image Restoration with Deep
    Denoiser Prior", IEEE TPAMI 2021; the data step with decimation N. Zhao et al., "Fast Single Image Super-Resolution
    Using a New Analytical Solution for ℓ2–ℓ2 Problems", IEEE TIP 2016; without noise Y. Wang, J. Yu and J. Zhang,
    "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model", ICLR 2023. Deviations: another denoiser,
    which averages over two of DPIR's eight symmetries in every round in place of one symmetry in each, and λ chosen for
    it on training images, where theirs is 0.23; the last data step; without noise σ_K is `floor`, where DPIR takes the
    scale of super-resolution.
    """

    name: ClassVar[str] = "pnp"
    summary: ClassVar[str] = "plug and play, half-quadratic splitting with a denoiser as prior"
    citation: ClassVar[str] = "K. Zhang et al., Plug-and-play image restoration with deep denoiser prior, TPAMI 2021"

    def restore(self, observation: Observation) -> Restoration:
        step = data_step(observation, self.name)
        levels, rho, end = self.schedule(observation)
        x = step.start
        for level, weight in zip(levels, rho, strict=True):
            x = self.denoised(step(x, weight), level)
        return step.fused(x, end)
