"""Our denoising network: one set of weights for colour and gray, for a known and an unknown noise level."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.networks import BiasFreeUNet
from bigprior.tiles import tiled
from datasets.observation import Observation
from methods.supervised._trained import TILE, Trained

CHANNELS, BLOCKS = (32, 64, 128, 208), (2, 2, 2, 2)


def untrained() -> BiasFreeUNet:
    """Return the network with random weights: (y, σ) in, the noise out."""
    return BiasFreeUNet(4, 3, CHANNELS, BLOCKS)


def denoise(network: BiasFreeUNet, y: Tensor, told: Tensor) -> Tensor:
    """Return y − F(y, σ) for y (N,3,H,W) and σ (N,), 0 where it is not told.

    F has no biases, so a·y with a·σ gives a times the result, and an untold σ stays untold.
    """
    level = told.to(y.dtype).view(-1, 1, 1, 1).expand(-1, 1, *y.shape[-2:])
    x = torch.cat([y, level], dim=1)

    def noise(piece: Tensor) -> Tensor:
        return network(piece.contiguous(memory_format=torch.channels_last)).to(piece.dtype)

    return y - tiled(noise, x, TILE, overlap=network.radius, multiple=network.multiple)


class UNetDenoiser(Trained[BiasFreeUNet]):
    """What the rows of the denoising network share.

    A gray image is given as R = G = B with the same noise in all three, as in training, and the mean of the three
    results is taken. An image that is known to have no noise is returned as it is.
    """

    tasks = ("denoise",)

    def restored(self, observation: Observation, told: Tensor) -> Restoration:
        """Restore, σ (N,) told where it is not 0."""
        y = observation.y
        network = self.loaded(untrained, y)
        with self.computing(y):
            image = denoise(network, y.expand(-1, 3, -1, -1), told)
        if y.shape[1] == 1:
            image = image.mean(dim=1, keepdim=True)
        if observation.sigma is not None:
            image = torch.where(observation.sigma.view(-1, 1, 1, 1) > 0, image, y)
        return Restoration(image)
