"""Bilateral filter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.base import Method, noise_level
from methods.classic._neighbours import Neighbours, Pair, average


@dataclass(frozen=True)
class Bilateral(Method):
    name: ClassVar[str] = "bilateral"
    summary: ClassVar[str] = "bilateral filter: neighbours weighed by distance in place and in colour"
    citation: ClassVar[str] = "C. Tomasi and R. Manduchi, Bilateral filtering for gray and color images, ICCV 1998"
    tasks: ClassVar[tuple[str, ...]] = ("denoise",)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    spatial: float = 1.5
    range: float = 2.0

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        sigma = noise_level(observation)[:, None, None, None]
        width = self.range * sigma * math.sqrt(y.shape[1])
        neighbours = bilateral_neighbours(y, self.spatial, width)
        return Restoration.fused(y, neighbours.mean, torch.where(sigma > 0, neighbours.reliance(1.0), 0))


def bilateral_neighbours(y: Tensor, spatial: float, width: Tensor) -> Neighbours:
    inverse = -0.5 / width.square().clamp(min=1e-12)

    def weight(dy: int, dx: int, here: Pair, there: Pair) -> Tensor:
        squared = (y[..., *here] - y[..., *there]).square_().sum(dim=1, keepdim=True)
        return squared.mul_(inverse).sub_(0.5 * (dy * dy + dx * dx) / spatial**2).exp_()

    return average(y, math.ceil(3 * spatial), weight)
