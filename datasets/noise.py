"""The noise of an observation: how it is drawn, and its variance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor


class Noise(ABC):
    """A law of y given the noise-free observation z = A x; pixels are independent given z.

    E[y | z] = z unless a law says otherwise.

    Scales are those of images in [0,1]. Nothing is clipped.
    """

    title: ClassVar[str]
    """The law in a few words: for messages."""

    @abstractmethod
    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        """Return y (N,C,H,W), drawn given z (N,C,H,W)."""

    @abstractmethod
    def variance(self, z: Tensor) -> Tensor:
        """Return Var[y | z], broadcastable to z (N,C,H,W)."""

    def sigma(self, y: Tensor) -> Tensor | None:
        """Return the standard deviation (N,) if it is the same for every pixel of an image, else None."""
        return None

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Noise:
        """Return the noise with its tensors on `device` and in `dtype`."""
        return self

    def select(self, index: int) -> Noise:
        """Return the noise of image `index` of the batch alone."""
        return self

    @classmethod
    def cat(cls, noises: Sequence[Noise]) -> Noise:
        """Return the noise of the concatenated batch."""
        return noises[0]


class NoNoise(Noise):
    """y = z."""

    title: ClassVar[str] = "no noise"

    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        return z

    def variance(self, z: Tensor) -> Tensor:
        return z.new_zeros(len(z), 1, 1, 1)

    def sigma(self, y: Tensor) -> Tensor:
        return y.new_zeros(len(y))


@dataclass(frozen=True)
class Gaussian(Noise):
    """y = z + σ n, n ~ N(0, I).

    Attributes:
        level: σ (N,) on the [0,1] scale.
    """

    title: ClassVar[str] = "white Gaussian noise"

    level: Tensor

    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        noise = torch.from_numpy(random.standard_normal(tuple(z.shape)).astype(np.float32))
        return z + self.level.to(noise).view(-1, 1, 1, 1) * noise

    def variance(self, z: Tensor) -> Tensor:
        return self.level.to(z).square().view(-1, 1, 1, 1)

    def sigma(self, y: Tensor) -> Tensor:
        return self.level

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Gaussian:
        return Gaussian(self.level.to(device=device, dtype=dtype))

    def select(self, index: int) -> Gaussian:
        return Gaussian(self.level[index : index + 1])

    @classmethod
    def cat(cls, noises: Sequence[Noise]) -> Gaussian:
        return cls(torch.cat([noise.level for noise in noises if isinstance(noise, Gaussian)]))
