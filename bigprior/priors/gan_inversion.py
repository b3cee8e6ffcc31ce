"""What the inversions of a GAN share: frame, data term, optimiser, stopping rule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from bigprior.priors.base import (
    Frame,
    GenerativePrior,
    Inversion,
    Progress,
    UnsupportedSize,
    as_image_space,
    discrepancy_met,
    enlarge,
    measure,
)
from bigprior.priors.descent import descend
from bigprior.priors.perceptual import Features
from bigprior.priors.pggan import PGGAN
from datasets.observation import Observation

FEATURE_SCALE = 1e-3
"""The released code's scale of the mean absolute difference of VGG16's features."""

OPTIMISERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


class DataTerm:
    """d(x) = mean (A(2x−1) − A(2f−1))² + w·10⁻³ mean |F(A x) − F(A f)|, per image, f the data-fidelity image.

    As released with multi-code inversion: A acts on the scale −1..1, so that a hole is mid-gray to the features F;
    what A gives is repeated to three channels for them.
    """

    def __init__(self, observation: Observation, features: Features | None, weight: float) -> None:
        self.observation, self.features, self.weight = observation, features, weight
        self.target = self._measured(observation.fidelity)
        self.target_features = None if features is None else features(self._unsigned(self.target))

    def _measured(self, image: Tensor) -> Tensor:
        return measure(self.observation, 2 * image - 1)

    @staticmethod
    def _unsigned(measured: Tensor) -> Tensor:
        return ((measured + 1) / 2).expand(-1, 3, -1, -1)

    def __call__(self, image: Tensor) -> Tensor:
        """Return d (N,) of RGB images (N,3,H,W)."""
        measured = self._measured(image)
        distance = (measured - self.target).square().flatten(1).mean(1)
        if self.features is None or self.target_features is None:
            return distance
        difference = (self.features(self._unsigned(measured)) - self.target_features).abs()
        return distance + self.weight * FEATURE_SCALE * difference.flatten(1).mean(1).to(distance.dtype)


@dataclass(frozen=True)
class GanInversion(GenerativePrior):
    """Inversion of a PGGAN by descent on `DataTerm` and whatever a subclass adds.

    Every image starts from the same codes, drawn from N(0, I) with the seed. Stops per image by Morozov's rule, mean
    (A g − y)² ≤ τσ², where σ is known and positive, and after the last iteration. g is clipped to [0,1].

    Images smaller than the generator's are enlarged by reflection and g is cropped; larger ones are refused.

    Args:
        generator: the generator; the loss is computed on its device.
        features: of the perceptual part, for instance `perceptual.vgg16(...)`; None leaves it out.
        perceptual_weight: w.
        iterations, rate, optimiser: of the descent.
        tau: τ; 0 turns the rule off.
        seed: of the start.
    """

    generator: PGGAN
    features: Features | None = None
    perceptual_weight: float = 0.1
    iterations: int = 3000
    rate: float = 1.0
    optimiser: Literal["sgd", "adam"] = "sgd"
    tau: float = 1.0
    seed: int = 0

    @abstractmethod
    def start(self, count: int) -> list[Tensor]:
        """Return the start points of the latents for so many images, batch first."""

    @abstractmethod
    def render(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the images (N,3,R,R) of latents, 0..1, not clipped."""

    def penalty(self, latents: Sequence[Tensor]) -> Tensor | float:
        """Return what is added to the data term, (N,) or 0."""
        return 0.0

    @property
    def dtype(self) -> torch.dtype:
        """Of latents and losses: the generator's, at least float32."""
        return torch.promote_types(self.generator.dtype, torch.float32)

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        return self.render(latents).clamp(0, 1)

    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        frame = self.frame(observation)
        found = self.descend(frame.observation, self.start(len(observation)), self.render, self.iterations, progress)
        return self.finished(observation, frame, found)

    def frame(self, observation: Observation) -> Frame:
        """Return the observation where the generator computes, at the size of its images.

        Raises:
            UnsupportedSize: it is larger than them.
        """
        side = self.generator.layout.resolution
        h, w = observation.y.shape[-2:]
        if max(h, w) > side:
            raise UnsupportedSize(f"images of {h}×{w}: this generator takes up to {side}×{side}")
        return enlarge(observation.to(self.generator.device, self.dtype), side, side)

    def descend(
        self,
        observation: Observation,
        latents: Sequence[Tensor],
        render: Callable[[Sequence[Tensor]], Tensor],
        iterations: int,
        progress: Progress | None = None,
    ) -> Inversion:
        """Descend from the given latents, on an observation of the generator's size."""
        with torch.no_grad():
            data = DataTerm(observation, self.features, self.perceptual_weight)
        return descend(
            latents,
            render,
            lambda latents, image: data(image) + self.penalty(latents),
            lambda image: discrepancy_met(observation, measure(observation, image), self.tau),
            partial(OPTIMISERS[self.optimiser], lr=self.rate),
            iterations,
            progress,
        )

    @staticmethod
    def finished(observation: Observation, frame: Frame, found: Inversion) -> Inversion:
        """Return the inversion with its image clipped, cropped and in the image space of the observation."""
        image = as_image_space(observation, frame.crop(found.image.clamp(0, 1)))
        return replace(found, image=image.to(observation.y.device, observation.y.dtype).contiguous())

    def codes_at(self, count: int, codes: int) -> Tensor:
        """Return start codes (count, codes, Z): the same for every image."""
        random = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(codes, self.generator.layout.code, generator=random)
        return drawn.to(self.generator.device, self.dtype).expand(count, -1, -1)
