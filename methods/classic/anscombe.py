"""A Gaussian denoiser for counts, by way of the Anscombe transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.counts import COUNTING, PoissonGaussian
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from datasets.task import DENOISING, Problem, Task
from datasets.tasks.denoise import Denoise
from methods.base import Method
from methods.classic._anscombe import inverse, transform
from methods.classic._counting import law
from methods.nested import Nested, inner


@dataclass(frozen=True)
class Anscombe(Nested):
    """x̂ = a · T⁻¹(denoiser(T(y/a))), T the generalised Anscombe transform, T⁻¹ its exact unbiased inverse.

    T(z) = 2 √max(z + 3/8 + s², 0), s = σ/a, makes the noise nearly white with standard deviation 1. The denoiser is
    given T scaled so that 0 and 1 are the transforms of black and of white without noise, and the σ that this makes.
    T is not linear: no fusion is claimed.

    Args:
        denoiser: a row that denoises and is told σ, such as `nlm` or `"nlm[patch=5]"`.

    Source: M. Mäkitalo and A. Foi, "Optimal Inversion of the Generalized Anscombe Transformation for Poisson–Gaussian
    Noise", IEEE Transactions on Image Processing 22(1), 2013; the transform: F. J. Anscombe, Biometrika 35, 1948, and
    F. Murtagh, J.-L. Starck and A. Bijaoui, Astronomy and Astrophysics Supplement Series 112, 1995.

    Raises:
        ValueError: `denoiser` is no row that denoises.
    """

    name: ClassVar[str] = "anscombe"
    summary: ClassVar[str] = "a Gaussian denoiser between the Anscombe transform and its exact unbiased inverse"
    citation: ClassVar[str] = (
        "M. Mäkitalo and A. Foi, Optimal Inversion of the Generalized Anscombe Transformation for Poisson-Gaussian "
        "Noise, IEEE Trans. Image Processing, 2013"
    )
    problems: ClassVar[tuple[Problem, ...]] = (COUNTING,)
    decoupled: ClassVar[bool] = False

    denoiser: str = "collaborative-wiener"

    @property
    def row(self) -> Method:
        """The denoiser."""
        return inner(self.denoiser, DENOISING, "denoiser", told=True)

    def supports(self, task: Task) -> str | None:
        return super().supports(task) or self.row.supports(Denoise())

    def restore(self, observation: Observation) -> Restoration:
        y, noise = observation.y, law(observation)
        scales = [self._scale(noise.select(i)) for i in range(len(y))]
        stable = torch.stack([scale.to(image) for scale, image in zip(scales, y, strict=True)])
        sigma = torch.tensor([scale.sigma for scale in scales], dtype=y.dtype, device=y.device)
        denoised = self.row.restore(Observation(stable, Identity(), Gaussian(sigma))).image
        return Restoration(torch.stack([s.back(image) for s, image in zip(scales, denoised, strict=True)]))

    @staticmethod
    def _scale(noise: PoissonGaussian) -> _Scale:
        gain, level = float(noise.gain), float(noise.level)
        black, white = transform(np.array([0, 1 / gain]), level / gain)
        return _Scale(gain, level / gain, float(black), float(white - black))


@dataclass(frozen=True)
class _Scale:
    """T of one image, from and to the [0,1] scale.

    Attributes:
        gain: a.
        spread: s.
        black, width: T of black, and T of white less that.
    """

    gain: float
    spread: float
    black: float
    width: float

    @property
    def sigma(self) -> float:
        return 1 / self.width

    def to(self, y: Tensor) -> Tensor:
        stable = transform(y.double().cpu().numpy() / self.gain, self.spread)
        return torch.from_numpy((stable - self.black) / self.width).to(y)

    def back(self, denoised: Tensor) -> Tensor:
        stable = denoised.double().cpu().numpy() * self.width + self.black
        return torch.from_numpy(self.gain * inverse(stable, self.spread)).to(denoised)
