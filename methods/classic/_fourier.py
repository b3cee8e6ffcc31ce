"""Wiener filtering in the Fourier domain, for methods that differ in where the spectrum comes from."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.domains import Fourier
from bigprior.fusion import Restoration


def wiener(y: Tensor, mean: Tensor, spectrum: Tensor, sigma: Tensor) -> Restoration:
    """Return the posterior mean of x ~ N(μ, S) from y = x + noise, S diagonal in the Fourier domain.

    Args:
        y: (N,C,H,W).
        mean: μ, one number per image and channel (N,C,1,1).
        spectrum: S ≥ 0, the variance of every unitary Fourier coefficient of x (N,1 or C,H,W).
        sigma: σ (N,).

    Returns:
        x̂ = (1 − φ) ⊙ F y + φ ⊙ F μ with φ = σ²/(S + σ²) in the Fourier domain; φ = 0 if σ = 0.
    """
    domain = Fourier()
    noise = sigma.square()[:, None, None, None]
    # The floor only decides 0/0, an absent frequency without noise, where φ = 0.
    phi = noise / (spectrum + noise).clamp(min=torch.finfo(y.dtype).tiny)
    return Restoration.fused(domain.analysis(y), domain.analysis(mean.expand_as(y)), phi, domain)


def periodogram(y: Tensor, mean: Tensor) -> Tensor:
    """Return |F(y − μ)|² (N,C,H,W)."""
    return Fourier().analysis(y - mean).abs().square()
