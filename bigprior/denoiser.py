"""Our denoiser, which is also what the compact prior asks about noise: colour and gray, σ known or not."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.networks import BiasFreeUNet
from bigprior.tiles import tiled

TILE = 768
"""Side of the tiles of large images: the overlap is wide."""
CHANNELS, BLOCKS = (32, 64, 128, 208), (2, 2, 2, 2)


def untrained() -> BiasFreeUNet:
    """Return the network with random weights: (y, σ) in, the noise out."""
    return BiasFreeUNet(4, 3, CHANNELS, BLOCKS)


def denoise_both_ways(network: BiasFreeUNet, y: Tensor, told: Tensor) -> Tensor:
    """Return the mean of `denoise` for y and, mirrored at its diagonal and back, for yᵀ.

    What the network sees twice it errs on twice, but not in the same way: the mean is better than either. All eight
    symmetries would be better still (R. Timofte, R. Rothe, L. Van Gool, "Seven Ways to Improve Example-Based Single
    Image Super Resolution", CVPR 2016), for four times the time.
    """
    return (denoise(network, y, told) + denoise(network, y.mT, told).mT) / 2


def denoise(network: BiasFreeUNet, y: Tensor, told: Tensor) -> Tensor:
    """Return y − F(y, σ) for y (N,3,H,W) and σ (N,), 0 where it is not told.

    F has no biases, so a·y with a·σ gives a times the result, and an untold σ stays untold.
    """
    level = told.to(y.dtype).view(-1, 1, 1, 1).expand(-1, 1, *y.shape[-2:])
    x = torch.cat([y, level], dim=1)

    def noise(piece: Tensor) -> Tensor:
        return network(piece.contiguous(memory_format=torch.channels_last)).to(piece.dtype)

    return y - tiled(noise, x, TILE, overlap=network.radius, multiple=network.multiple)
