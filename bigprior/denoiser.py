"""Our denoiser, which is also what the compact prior asks about noise: colour and gray, σ known or not."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.networks import BiasFreeUNet
from bigprior.tiles import WIDE, tiled

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

    def both(piece: Tensor, level: Tensor) -> Tensor:
        return (_less_noise(network, piece, level) + _less_noise(network, piece.mT, level.mT).mT) / 2

    return tiled(both, y, _level(y, told), tile=WIDE, overlap=network.radius, multiple=network.multiple)


def denoise(network: BiasFreeUNet, y: Tensor, told: Tensor) -> Tensor:
    """Return y − F(y, σ) for y (N,3,H,W) and σ (N,), 0 where it is not told.

    F has no biases, so a·y with a·σ gives a times the result, and an untold σ stays untold.
    """

    def once(piece: Tensor, level: Tensor) -> Tensor:
        return _less_noise(network, piece, level)

    return tiled(once, y, _level(y, told), tile=WIDE, overlap=network.radius, multiple=network.multiple)


def _level(y: Tensor, told: Tensor) -> Tensor:
    return told.to(y.dtype).view(-1, 1, 1, 1).expand(-1, 1, *y.shape[-2:])


def _less_noise(network: BiasFreeUNet, y: Tensor, level: Tensor) -> Tensor:
    x = torch.cat([y, level], dim=1)
    return y - network(x.contiguous(memory_format=torch.channels_last)).to(y.dtype)
