"""What the rows of our denoiser share."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from bigprior.denoiser import denoise_both_ways, untrained
from bigprior.fusion import Restoration
from bigprior.networks import BiasFreeUNet
from datasets.observation import Observation
from datasets.task import DENOISING, Problem
from methods.supervised._trained import Trained


class UNetDenoiser(Trained[BiasFreeUNet]):
    """What the rows of the denoising network share.

    A gray image is given as R = G = B with the same noise in all three, as in training, and the mean of the three
    results is taken. An image that is known to have no noise is returned as it is.
    """

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)

    def restored(self, observation: Observation, told: Tensor) -> Restoration:
        """Restore, σ (N,) told where it is not 0."""
        y = observation.y
        network = self.loaded(untrained, y)
        with self.computing(y):
            image = denoise_both_ways(network, y.expand(-1, 3, -1, -1), told)
        if y.shape[1] == 1:
            image = image.mean(dim=1, keepdim=True)
        if observation.sigma is not None:
            image = torch.where(observation.sigma.view(-1, 1, 1, 1) > 0, image, y)
        return Restoration(image)
