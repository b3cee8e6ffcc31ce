"""One network for every conditional mean of an image: E[x | some pixels, noisy pixels, luma]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bigprior.networks import BiasFreeUNet
from bigprior.smooth_fill import smooth_fill
from bigprior.tiles import WIDE, tiled
from datasets.operators import LUMA

CHANNELS, BLOCKS = (32, 64, 128, 208), (2, 2, 2, 2)
GRAY = 0.5
"""What a pixel is taken for before anything is known."""


def untrained() -> BiasFreeUNet:
    """Return the network with random weights: (z, level, luma, whether luma is known) in, a correction out."""
    return BiasFreeUNet(6, 3, CHANNELS, BLOCKS)


@dataclass(frozen=True)
class Knowledge:
    """What is known of a batch of images x, each pixel on its own.

    Attributes:
        y: (N,3,H,W), x + σ n with n of unit variance. Where σ = ∞ its value does not matter.
        sigma: (N,1,H,W) in [0,∞], the standard deviation per pixel on the [0,1] scale; ∞ where nothing is known.
        told: (N,1,H,W) of 0 and 1; 0 where the network is not told a finite σ (blind denoising).
        luma: (N,1,H,W), exact, or None.
    """

    y: Tensor
    sigma: Tensor
    told: Tensor
    luma: Tensor | None = None

    @property
    def observed(self) -> Tensor:
        """1 where σ is finite, (N,1,H,W)."""
        return torch.isfinite(self.sigma).to(self.y.dtype)


def estimate(network: BiasFreeUNet, known: Knowledge) -> Tensor:
    """Return an estimate of E[x | what is known] (N,3,H,W), not clipped.

    With c = 1/√(1 + σ²) per pixel (1 where σ is not told, 0 where σ = ∞) and m a guess without the network,

        x̂ = c² y + (1 − c²) m − F(c y + (1 − c) m, c σ, luma),

    so that inputs and outputs of F have the same scale at any noise. m is the luma as gray where luma is known, else a
    smooth fill of the holes, else gray. F has no biases: its constant input is the level cσ of unknown pixels, 1. A
    known luma is then given to x̂ exactly.

    Source of the scaling: T. Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models",
    NeurIPS 2022, with data of unit scale. Deviations: per pixel, and 1 − c² of the guess.
    """
    y, luma = known.y, known.luma
    observed = known.observed
    if luma is not None:
        guess = luma
    elif bool(observed.all()) or not bool(observed.any()):
        guess = y.new_full((1, 1, 1, 1), GRAY).expand_as(observed)
    else:
        guess = smooth_fill(torch.where(observed > 0, y, GRAY), observed)

    def part(y: Tensor, sigma: Tensor, told: Tensor, guess: Tensor) -> Tensor:
        return _corrected(network, y, sigma, told, guess, has_luma=luma is not None)

    given = (y, known.sigma, known.told, guess)
    return tiled(part, *given, tile=WIDE, overlap=network.radius, multiple=network.multiple)


def _corrected(network: BiasFreeUNet, y: Tensor, sigma: Tensor, told: Tensor, guess: Tensor, has_luma: bool) -> Tensor:
    """The estimate from a guess, which is the luma if that is known; sides that the network takes."""
    observed = torch.isfinite(sigma)
    finite = torch.where(observed, sigma, 0)
    c = torch.where(observed, (1 + finite.square() * told).rsqrt(), 0)
    level = torch.where(observed, c * finite * told, 1)
    y = torch.where(observed, y, GRAY)
    given = guess if has_luma else torch.zeros_like(level)
    flag = torch.full_like(level, float(has_luma))
    if not has_luma:
        guess = torch.where(observed, GRAY, guess)
    x = torch.cat([c * y + (1 - c) * guess, level, given, flag], dim=1)
    correction = network(x.contiguous(memory_format=torch.channels_last)).to(y.dtype)
    skip = c.square()
    image = skip * y + (1 - skip) * guess - correction
    return with_luma(image, guess) if has_luma else image


def with_luma(image: Tensor, luma: Tensor) -> Tensor:
    """Return the nearest image (N,3,H,W) that has this luma in the sense that its colour differences are kept."""
    r, g, b = image.unbind(dim=1)
    own = (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b).unsqueeze(1)
    return image + (luma - own)
