"""Our inpainting network: gated convolutions on a smooth fill."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle

from bigprior.networks import GatedUNet
from bigprior.smooth_fill import smooth_fill
from bigprior.tiles import tiled
from methods.supervised._trained import TILE


def untrained() -> GatedUNet:
    """Return the network with random weights: (fill, mask) in, what is to be added to the fill out."""
    return GatedUNet(4, 12)


def inpaint(network: GatedUNet, y: Tensor, mask: Tensor) -> Tensor:
    """Return m ⊙ y + (1 − m) ⊙ (s + F(s, m)), s the smooth fill of y (N,3,H,W); m (N,1,H,W), 1 where observed."""
    fill = smooth_fill(y, mask)

    def residual(piece: Tensor) -> Tensor:
        return pixel_shuffle(network(piece.contiguous(memory_format=torch.channels_last)), 2).to(piece.dtype)

    x = torch.cat([fill, mask], dim=1)
    return torch.where(mask > 0, y, fill + tiled(residual, x, TILE, overlap=network.radius, multiple=network.multiple))
