"""What the rows of inverted PGGANs share: the weights, the settings, and the luma of colorization."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from bigprior.domains import LumaChroma
from bigprior.fusion import Restoration
from bigprior.priors import pggan
from bigprior.priors.base import GenerativePrior
from bigprior.priors.feature_map import FeatureMap
from bigprior.priors.multi_code import MultiCode, published
from bigprior.priors.perceptual import Features, vgg16
from bigprior.priors.pggan import PGGAN
from datasets.observation import Luma, Observation
from datasets.task import Task
from methods.base import Method


class PgganRow(Method):
    """x̂ = g of an inversion of a PGGAN with official weights.

    In colorization x̂ has the luma of y and the chroma of g, as in the BIGPrior authors' code; elsewhere it is g as it
    is, observed pixels included.

    Raises:
        SuiteError: (from `restore`) the generator's or VGG16's weights are not to be had.
        UnsupportedSize: (from `restore`) an image larger than the generator's.
    """

    tasks: ClassVar[tuple[str, ...]] = ("denoise", "inpaint-center", "inpaint-random", "colorize")
    decoupled: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    warm_up: ClassVar[bool] = False
    on_request: ClassVar[str | None] = "takes an hour or more per image on a CPU"
    generator: ClassVar[str]
    """Name of the checkpoint, such as bedroom256."""

    @abstractmethod
    def prior(self, generator: PGGAN, features: Features, observation: Observation) -> GenerativePrior:
        """Return the prior that inverts the generator."""

    def supports(self, task: Task) -> str | None:
        return super().supports(task) or pggan.missing(self.generator)

    def weights(self) -> tuple[Path, ...]:
        return (pggan.checkpoint(self.generator),)

    def restore(self, observation: Observation) -> Restoration:
        device = observation.y.device
        generator = _generator(self.generator, pggan.checkpoint(self.generator), device)
        g = self.prior(generator, vgg16(device, torch.float32), observation).invert(observation).image
        if isinstance(observation.operator, Luma):
            domain = LumaChroma()
            luma, chroma = domain.analysis(observation.fidelity)[:, :1], domain.analysis(g)[:, 1:]
            return Restoration(domain.synthesis(torch.cat([luma, chroma], dim=1)))
        return Restoration(g)


@dataclass(frozen=True)
class Mgan(PgganRow):
    """Multi-code inversion (`bigprior.priors.multi_code.MultiCode`), the rows "mGAN" of the BIGPrior paper.

    Published settings: 3000 iterations whatever σ is (τ = 0). A subclass names the generator.

    Args:
        iterations: of the inversion.
    """

    citation: ClassVar[str] = "J. Gu, Y. Shen, B. Zhou, Image Processing Using Multi-Code GAN Prior, CVPR 2020"

    iterations: int = 3000

    def prior(self, generator: PGGAN, features: Features, observation: Observation) -> GenerativePrior:
        codes, layer = published(observation)
        return MultiCode(generator, features=features, iterations=self.iterations, tau=0.0, codes=codes, layer=layer)


@dataclass(frozen=True)
class FeatureMapRow(PgganRow):
    """Inversion by a code and corrections of feature maps (`bigprior.priors.feature_map.FeatureMap`).

    The rows "feature map optimisation" of the BIGPrior paper, with the settings of our class. A subclass names the
    generator.

    Args:
        iterations: of each of the two parts of the inversion.
    """

    citation: ClassVar[str] = "D. Bau et al., Semantic Photo Manipulation with a Generative Image Prior, SIGGRAPH 2019"

    iterations: int = 500

    def prior(self, generator: PGGAN, features: Features, observation: Observation) -> GenerativePrior:
        return FeatureMap(generator, features=features, iterations=self.iterations)


@cache
def _generator(name: str, path: Path, device: torch.device) -> PGGAN:
    # The path is part of the key: a test or a user may point the folder elsewhere.
    return pggan.load(name, device=device)
