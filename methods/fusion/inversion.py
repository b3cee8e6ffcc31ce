"""The image of an inverted GAN, alone: mGAN and feature maps, for any of the generators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from bigprior.domains import LumaChroma
from bigprior.fusion import Restoration
from bigprior.priors import pggan
from bigprior.priors.base import GenerativePrior
from bigprior.priors.feature_map import FeatureMap
from bigprior.priors.multi_code import MultiCode, published
from bigprior.priors.perceptual import Features, vgg16
from bigprior.priors.pggan import PGGAN
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator
from datasets.spec import Within
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem, Task
from methods.base import Method

Generator = Literal["bedroom", "church", "conference"]
CHECKPOINTS: dict[str, str] = {
    "bedroom": "bedroom256",
    "church": "churchoutdoor256",
    "conference": "conferenceroom256",
}
"""What LSUN scenes a generator was trained on, and the name of its checkpoint."""


def as_it_is(observation: Observation, g: Tensor) -> Tensor:
    """Return g, observed pixels included."""
    return g


def with_luma(observation: Observation, g: Tensor) -> Tensor:
    """Return the image with the luma of y and the chroma of g, as the BIGPrior authors' code does."""
    domain = LumaChroma()
    luma, chroma = domain.analysis(observation.fidelity)[:, :1], domain.analysis(g)[:, 1:]
    return domain.synthesis(torch.cat([luma, chroma], dim=1))


FINISHED: dict[type[Operator], Callable[[Observation, Tensor], Tensor]] = {
    Identity: as_it_is,
    Masking: as_it_is,
    Luma: with_luma,
}
"""Operator → what becomes of g."""


@dataclass(frozen=True)
class PgganInversion(Method):
    """x̂ = g of an inversion of a PGGAN with official weights; in colorization g with the luma of y.

    Args:
        generator: the LSUN scenes that it was trained on.

    Raises:
        SuiteError: (from `restore`) the weights of the generator or of VGG16 are unavailable.
        UnsupportedSize: (from `restore`) an image larger than the generator's.
        ValueError: (from `restore`) an operator that is not in `FINISHED`.
    """

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    decoupled: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    warm_up: ClassVar[bool] = False
    on_request: ClassVar[str | None] = "takes an hour or more per image on a CPU"

    generator: Generator

    @property
    def checkpoint(self) -> str:
        """Name of the generator's checkpoint, such as bedroom256."""
        return CHECKPOINTS[self.generator]

    @abstractmethod
    def prior(self, generator: PGGAN, features: Features, observation: Observation) -> GenerativePrior:
        """Return the prior that inverts the generator."""

    def supports(self, task: Task) -> str | None:
        return super().supports(task) or pggan.missing(self.checkpoint)

    def weights(self) -> tuple[Path, ...]:
        return (pggan.checkpoint(self.checkpoint),)

    def restore(self, observation: Observation) -> Restoration:
        finished = by_operator(FINISHED, observation.operator, self.name)
        device = observation.y.device
        generator = _generator(self.checkpoint, pggan.checkpoint(self.checkpoint), device)
        g = self.prior(generator, vgg16(device, torch.float32), observation).invert(observation).image
        return Restoration(finished(observation, g))


@dataclass(frozen=True)
class Mgan(PgganInversion):
    """Multi-code inversion (`bigprior.priors.multi_code.MultiCode`), the rows "mGAN" of the BIGPrior paper.

    Published settings: 3000 iterations whatever σ is (τ = 0).

    Args:
        iterations: of the inversion.
    """

    name: ClassVar[str] = "mgan"
    summary: ClassVar[str] = "multi-code inversion of a GAN trained on one kind of LSUN scene"
    citation: ClassVar[str] = "J. Gu, Y. Shen, B. Zhou, Image Processing Using Multi-Code GAN Prior, CVPR 2020"
    variants: ClassVar[dict[str, str]] = {
        "mgan-bedroom": "mgan[generator=bedroom]",
        "mgan-church": "mgan[generator=church]",
        "mgan-conference": "mgan[generator=conference]",
    }

    iterations: Annotated[int, Within(0)] = 3000

    def prior(self, generator: PGGAN, features: Features, observation: Observation) -> GenerativePrior:
        codes, layer = published(observation)
        return MultiCode(generator, features=features, iterations=self.iterations, tau=0.0, codes=codes, layer=layer)


@dataclass(frozen=True)
class FeatureMaps(PgganInversion):
    """Inversion by a code and corrections of feature maps (`bigprior.priors.feature_map.FeatureMap`).

    The rows "feature map optimisation" of the BIGPrior paper, with the settings of our class.

    Args:
        iterations: of each of the two parts of the inversion.
    """

    name: ClassVar[str] = "feature-map"
    summary: ClassVar[str] = "inversion by feature maps of a GAN trained on one kind of LSUN scene"
    citation: ClassVar[str] = "D. Bau et al., Semantic Photo Manipulation with a Generative Image Prior, SIGGRAPH 2019"
    variants: ClassVar[dict[str, str]] = {
        "feature-map-bedroom": "feature-map[generator=bedroom]",
        "feature-map-church": "feature-map[generator=church]",
        "feature-map-conference": "feature-map[generator=conference]",
    }

    iterations: Annotated[int, Within(0)] = 500

    def prior(self, generator: PGGAN, features: Features, observation: Observation) -> GenerativePrior:
        return FeatureMap(generator, features=features, iterations=self.iterations)


@cache
def _generator(name: str, path: Path, device: torch.device) -> PGGAN:
    # The path is part of the key: a test or a user may point the folder elsewhere.
    return pggan.load(name, device=device)
