"""Published denoisers that are not told σ: made for one noise level, or blind."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from bigprior.precision import computing
from bigprior.tiles import Network, tiled
from datasets.observation import Observation
from datasets.task import Task
from methods.supervised._published import Published


@dataclass(frozen=True)
class Untold(Published):
    """x̂ = network(y), for gray or for colour images. The authors clip x̂ to [0,1] before they score it; here it is not.

    A gray network takes the channels of a colour image one by one and cannot use what they share. A colour network is
    given a gray image and its two mirror images as red, green and blue, and the mean of the three results, mirrored
    back, is taken. Three equal channels would not do: with the same noise in all of them it passes for texture, and
    the network leaves it. An image that is known to have no noise is returned as it is.
    """

    channels: ClassVar[int]
    """1 for gray images, 3 for colour images."""
    radius: ClassVar[int]
    """Radius of the receptive field in pixels."""

    @abstractmethod
    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        """Return the network: (N,channels,H,W) to the image of the same shape."""

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        network = self.network(y.dtype, y.device)
        with computing(self.precision, y.device.type):
            if self.channels == 1:
                image = tiled(network, y.reshape(-1, 1, *y.shape[2:]), overlap=self.radius).view_as(y)
            elif y.shape[1] == 1:
                mirrored = torch.cat([y, y.flip(2), y.flip(3)], dim=1)
                r, g, b = tiled(network, mirrored, overlap=self.radius).split(1, dim=1)
                image = (r + g.flip(2) + b.flip(3)) / 3
            else:
                image = tiled(network, y, overlap=self.radius)
        if observation.sigma is not None:
            image = torch.where(observation.sigma.view(-1, 1, 1, 1) > 0, image, y)
        return Restoration(image)


@dataclass(frozen=True)
class OneLevel(Untold):
    """It was trained for one σ and cannot be told another: it supports no other task.

    `restore` itself applies it to what it is given, whatever σ is.
    """

    level: ClassVar[int]
    """The noise level it was trained for, on the 0–255 scale."""

    def supports(self, task: Task) -> str | None:
        if task.problem in self.problems and task.parameters.get("sigma") != str(self.level):
            return f"trained for σ {self.level} alone and cannot be told another"
        return super().supports(task)
