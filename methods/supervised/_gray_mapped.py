"""Gray denoisers that read σ from a map beside the image."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.precision import computing
from bigprior.tiles import Network, tiled
from datasets.observation import Observation
from methods.base import noise_level
from methods.supervised._published import SIGMA_MAX, Published


@dataclass(frozen=True)
class GrayNoiseMapped(Published):
    """A gray denoiser trained for σ 0 to 75 that reads σ from a map beside the image: x̂ = network(s y, s σ) / s.

    σ is the observation's, or in blind denoising estimated from y. Where it is 0 the image is y. s = min(1, 75/σ): an
    image with more noise than the network has ever seen is made darker until the noise is 75. The channels of a colour
    image are taken one by one, so what they share is not used.
    """

    radius: ClassVar[int]
    """Radius of the receptive field in pixels."""
    multiple: ClassVar[int] = 1
    """What the sides of an image must be multiples of; others are continued by their last column and row."""

    uses_sigma: ClassVar[bool] = True

    @abstractmethod
    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        """Return the network: (N,2,H,W), a gray image and the map of σ on [0,1], to (N,1,H,W)."""

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        level = noise_level(observation).to(y)[:, None, None, None].expand(-1, y.shape[1], -1, -1).reshape(-1, 1, 1, 1)
        if not (level > 0).any():
            return Restoration(y.clone())
        network = self.network(y.dtype, y.device)

        def restored(y: Tensor, level: Tensor) -> Tensor:
            scale = (SIGMA_MAX / 255 / level).clamp(max=1)
            image = network(torch.cat([scale * y, torch.where(level > 0, scale * level, 0)], dim=1)) / scale
            return torch.where(level > 0, image, y)

        planes = y.reshape(-1, 1, *y.shape[2:])
        with computing(self.precision, y.device.type):
            image = tiled(restored, planes, level.expand_as(planes), overlap=self.radius, multiple=self.multiple)
        return Restoration(image.view_as(y))
