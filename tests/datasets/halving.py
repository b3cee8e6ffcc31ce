"""A task of another grid and another noise than the suite's own: half the size, with Poisson noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from datasets.noise import Noise
from datasets.observation import Observation, Truth
from datasets.operators import Operator, Shape
from datasets.task import Key, Problem, Task


class Halving(Operator):
    """A: means of 2×2 pixels, as super-resolution has it; y is half as large as x."""

    title: ClassVar[str] = "half the size"

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, 2)

    def adjoint(self, y: Tensor) -> Tensor:
        return interpolate(y, scale_factor=2, mode="nearest") / 4

    def lift(self, y: Tensor) -> Tensor:
        return interpolate(y, scale_factor=2, mode="nearest")

    def image_shape(self, observed: Shape) -> Shape:
        return (*observed[:2], 2 * observed[2], 2 * observed[3])


@dataclass(frozen=True)
class Poisson(Noise):
    """y = n/peak, n Poisson of mean peak·z: a variance of its own at every pixel."""

    title: ClassVar[str] = "Poisson noise"

    peak: Tensor

    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        peak = self.peak.view(-1, 1, 1, 1).numpy()
        return torch.from_numpy(random.poisson(z.clamp_min(0).numpy() * peak) / peak).to(z)

    def variance(self, z: Tensor) -> Tensor:
        return z.clamp_min(0) / self.peak.to(z).view(-1, 1, 1, 1)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Poisson:
        return Poisson(self.peak.to(device=device, dtype=dtype))

    def select(self, index: int) -> Poisson:
        return Poisson(self.peak[index : index + 1])

    @classmethod
    def cat(cls, noises: Sequence[Noise]) -> Poisson:
        return cls(torch.cat([noise.peak for noise in noises if isinstance(noise, Poisson)]))


@dataclass(frozen=True)
class Halve(Task):
    """y = Poisson(peak · A x)/peak with A the means of 2×2 pixels; sides are made even first.

    Args:
        peak: expected count at 1.
    """

    name: ClassVar[str] = "halve"
    summary: ClassVar[str] = "half the size, with Poisson noise"
    problem: ClassVar[Problem] = Problem(Halving, Poisson)
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim")
    level: ClassVar[str] = "peak"
    examples: ClassVar[tuple[str, ...]] = ("halve[peak=20]",)

    peak: float = 100.0

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        h, w = (side // 2 * 2 for side in clean.shape[-2:])
        x = clean[None, :, :h, :w]
        noise = Poisson(torch.tensor([self.peak], dtype=x.dtype))
        y = noise.sample(Halving().forward(x), self.random(key))
        return Observation(y, Halving(), noise, Truth(x, noise))
