"""Our colorization network: chroma at half the resolution from luma and height in the image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bigprior.domains import LumaChroma
from bigprior.networks import GatedUNet
from bigprior.tiles import tiled
from methods.supervised._trained import TILE


def untrained() -> GatedUNet:
    """Return the network with random weights: (y, row) in, (B−Y, R−Y) out. It starts at gray."""
    return GatedUNet(2, 2)


def colorize(network: GatedUNet, y: Tensor) -> Tensor:
    """Return the RGB image (N,3,H,W), not clipped, with luma y (N,1,H,W) and the chroma that the network predicts.

    The second input is the relative row, from −1 at the top to 1 at the bottom: skies are above, floors below.
    """
    h, w = y.shape[-2:]
    row = torch.linspace(-1, 1, h, dtype=y.dtype, device=y.device).view(1, 1, h, 1).expand(len(y), 1, h, w)

    def chroma(piece: Tensor) -> Tensor:
        half = network(piece.contiguous(memory_format=torch.channels_last)).to(piece.dtype)
        return interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)

    x = torch.cat([2 * y - 1, row], dim=1)
    colours = tiled(chroma, x, TILE, overlap=network.radius + 2, multiple=network.multiple)
    return LumaChroma().synthesis(torch.cat([y, colours], dim=1))
