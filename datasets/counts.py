"""The noise of sensors and of transmission: Poisson–Gaussian, and salt and pepper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datasets.noise import Noise
from datasets.operators import Identity
from datasets.task import Problem


@dataclass(frozen=True)
class PoissonGaussian(Noise):
    """y = a p + σ n, p ~ Poisson(z/a), n ~ N(0, I): E[y | z] = z, Var[y | z] = a z + σ².

    z counts as 0 where it is negative.

    Attributes:
        gain: a > 0 (N,), what one count adds to y.
        level: σ (N,) on the [0,1] scale.
    """

    title: ClassVar[str] = "Poisson–Gaussian noise"

    gain: Tensor
    level: Tensor

    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        gain = self.gain.double().view(-1, 1, 1, 1).cpu().numpy()
        counts = gain * random.poisson(z.clamp_min(0).double().cpu().numpy() / gain)
        normal = random.standard_normal(tuple(z.shape))
        return torch.from_numpy(counts + self.level.double().view(-1, 1, 1, 1).cpu().numpy() * normal).to(z)

    def variance(self, z: Tensor) -> Tensor:
        gain, level = (part.to(z).view(-1, 1, 1, 1) for part in (self.gain, self.level))
        return gain * z.clamp_min(0) + level.square()

    def to(self, device: torch.device | str, dtype: torch.dtype) -> PoissonGaussian:
        return PoissonGaussian(*(part.to(device=device, dtype=dtype) for part in (self.gain, self.level)))

    def select(self, index: int) -> PoissonGaussian:
        return PoissonGaussian(self.gain[index : index + 1], self.level[index : index + 1])

    @classmethod
    def cat(cls, noises: Sequence[Noise]) -> PoissonGaussian:
        own = [noise for noise in noises if isinstance(noise, PoissonGaussian)]
        return cls(torch.cat([noise.gain for noise in own]), torch.cat([noise.level for noise in own]))


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """y_i = z_i with probability 1 − p, else 0 or 1, each with p/2; every channel of a pixel for itself.

    The one law here that is not centred: E[y | z] = (1 − p) z + p/2.

    Attributes:
        share: p (N,).
    """

    title: ClassVar[str] = "salt and pepper noise"

    share: Tensor

    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        u = torch.from_numpy(random.random_sample(tuple(z.shape))).to(z.device)
        share = self.share.double().view(-1, 1, 1, 1)
        return torch.where(u < share / 2, 0.0, torch.where(u < share, 1.0, z.double())).to(z)

    def variance(self, z: Tensor) -> Tensor:
        share = self.share.to(z).view(-1, 1, 1, 1)
        mean = (1 - share) * z + share / 2
        return (1 - share) * z.square() + share / 2 - mean.square()

    def to(self, device: torch.device | str, dtype: torch.dtype) -> SaltAndPepper:
        return SaltAndPepper(self.share.to(device=device, dtype=dtype))

    def select(self, index: int) -> SaltAndPepper:
        return SaltAndPepper(self.share[index : index + 1])

    @classmethod
    def cat(cls, noises: Sequence[Noise]) -> SaltAndPepper:
        return cls(torch.cat([noise.share for noise in noises if isinstance(noise, SaltAndPepper)]))


COUNTING = Problem(Identity, PoissonGaussian)
IMPULSES = Problem(Identity, SaltAndPepper)
