"""Our inpainting network: gated convolutions on a smooth fill."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle

from bigprior.fusion import Restoration
from bigprior.networks import GatedUNet
from bigprior.smooth_fill import smooth_fill
from bigprior.tiles import WIDE, tiled
from datasets.observation import Observation
from datasets.task import INPAINTING, Problem
from methods.supervised._trained import Trained


def untrained() -> GatedUNet:
    """Return the network with random weights: (fill, mask) in, what is to be added to the fill out."""
    return GatedUNet(4, 12)


def inpaint(network: GatedUNet, y: Tensor, mask: Tensor) -> Tensor:
    """Return m ⊙ y + (1 − m) ⊙ (s + F(s, m)), s the smooth fill of y (N,3,H,W); m (N,1,H,W), 1 where observed."""
    fill = smooth_fill(y, mask)

    def filled(y: Tensor, fill: Tensor, mask: Tensor) -> Tensor:
        x = torch.cat([fill, mask], dim=1).contiguous(memory_format=torch.channels_last)
        return torch.where(mask > 0, y, fill + pixel_shuffle(network(x), 2).to(fill.dtype))

    return tiled(filled, y, fill, mask, tile=WIDE, overlap=network.radius, multiple=network.multiple)


class GatedInpainter(Trained[GatedUNet]):
    """What the rows of the inpainting network share. A gray image is three equal channels, and the mean is taken."""

    problems: ClassVar[tuple[Problem, ...]] = (INPAINTING,)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        network = self.loaded(untrained, y)
        with self.computing(y):
            image = inpaint(network, y.expand(-1, 3, -1, -1), observation.mask)
        return Restoration(image if y.shape[1] == 3 else image.mean(dim=1, keepdim=True))
