"""Our colorization networks: chroma at half the resolution from luma and height in the image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from bigprior.domains import LumaChroma
from bigprior.networks import GatedUNet
from bigprior.tiles import WIDE, tiled

MEMBERS = 3
CHANNELS = (20, 40, 72, 88)


class HalfChroma(Protocol):
    """Maps (luma, row) (N,2,H,W) to (B−Y, R−Y) (N,2,H/2,W/2); `multiple` and `radius` as in `GatedUNet`."""

    multiple: int
    radius: int

    def __call__(self, x: Tensor, /) -> Tensor: ...


class ChromaEnsemble(nn.Module):
    """The mean of networks that were trained on different images, each for the image and for its mirror image.

    Member k never sees an image of the training set whose number is k modulo MEMBERS (`held_from`). What one network
    has memorised the others have not, so it counts less in the mean (L. Breiman, "Bagging Predictors", Machine
    Learning 1996); and what member k says of the images that it has not seen is what can be expected of new ones.
    """

    def __init__(self, members: Iterable[GatedUNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        first = self.each()[0]
        self.multiple, self.radius = first.multiple, first.radius

    def each(self) -> list[GatedUNet]:
        """Return the members."""
        return [cast(GatedUNet, member) for member in self.members]

    def forward(self, x: Tensor) -> Tensor:
        """See `HalfChroma`."""
        mirrored = x.flip(-1)
        return torch.stack([member(x) + member(mirrored).flip(-1) for member in self.members]).mean(dim=0) / 2

    def held_from(self, number: int) -> ChromaEnsemble:
        """Return the member that has not seen the image of this number in its training set, as an ensemble of one."""
        return ChromaEnsemble([self.each()[number % MEMBERS]])


def untrained() -> ChromaEnsemble:
    """Return the networks with random weights. They start at gray."""
    return ChromaEnsemble(GatedUNet(2, 2, CHANNELS) for _ in range(MEMBERS))


def colorize(network: HalfChroma, y: Tensor) -> Tensor:
    """Return the RGB image (N,3,H,W), not clipped, with luma y (N,1,H,W) and the chroma that the network predicts.

    The second input is the relative row, from −1 at the top to 1 at the bottom: skies are above, floors below.
    """
    h, w = y.shape[-2:]
    row = torch.linspace(-1, 1, h, dtype=y.dtype, device=y.device).view(1, 1, h, 1).expand(len(y), 1, h, w)

    def colours(luma: Tensor, row: Tensor) -> Tensor:
        x = torch.cat([2 * luma - 1, row], dim=1)
        half = network(x.contiguous(memory_format=torch.channels_last)).to(luma.dtype)
        chroma = interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
        return LumaChroma().synthesis(torch.cat([luma, chroma], dim=1))

    return tiled(colours, y, row, tile=WIDE, overlap=network.radius + 2, multiple=network.multiple)
