"""Wiener filtering in the Fourier domain, for methods that differ in where the spectrum comes from."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.domains import Fourier
from bigprior.fusion import Restoration, fuse


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
    f, g = domain.analysis(y), domain.analysis(mean.expand_as(y))
    # Channel by channel: all coefficients of a large image at once are gigabytes.
    channels = zip(f.split(1, dim=1), g.split(1, dim=1), phi.expand(f.shape).split(1, dim=1), strict=True)
    image = torch.cat([domain.synthesis(fuse(*channel)) for channel in channels], dim=1)
    return Restoration(image, f, g, phi, domain)


def periodogram(y: Tensor, mean: Tensor) -> Tensor:
    """Return |F(y − μ)|² (N,C,H,W)."""
    return Fourier().analysis(y - mean).abs().square()
