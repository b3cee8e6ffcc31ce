"""BIGPrior as it was published: inversions of a GAN by several codes, and the released φ-networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from bigprior.phi.paper_backbone import PaperBackbone, load_released, restore_released
from bigprior.phi.released import RELEASE
from bigprior.priors import pggan
from datasets import fetch
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.fusion._parts import Choice, Holes, Prior
from methods.fusion.inversion import Mgan

HOLES: dict[Holes, str] = {"center": "inpcrop", "random": "inpvar"}
EXPERIMENTS: dict[type[Operator], Callable[[Choice], str]] = {
    Identity: lambda choice: "denblind",
    Masking: lambda choice: HOLES[choice.holes],
    Luma: lambda choice: "col",
}
"""Operator → the beginning of the name of an experiment in the release."""


def checkpoint(observation: Observation, choice: Choice) -> str:
    """Return the path of the released φ-network in the registry of files: of the task, and of the generator's scenes.

    Raises:
        ValueError: there is none for the operator of the observation.
    """
    experiment = by_operator(EXPERIMENTS, observation.operator, "bigprior")(choice)
    return f"{RELEASE}/net_data/{experiment}_{choice.generator}_1/net_24.pth"


@cache
def _released(path: Path, device: torch.device, dtype: torch.dtype) -> PaperBackbone:
    return load_released(path).to(device=device, dtype=dtype)


class PublishedMgan(Prior):
    """g = the row `mgan`; f = y, gray for colours; φ of the released network of y, three channels and not bounded.

    Conference rooms have no network for colours: the paper does not report them.
    """

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    reads: ClassVar[tuple[str, ...]] = ("generator", "holes")
    on_request: ClassVar[str | None] = Mgan.on_request

    def weights(self, choice: Choice) -> tuple[Path, ...]:
        return Mgan(generator=choice.generator).weights()

    def missing(self, choice: Choice) -> str | None:
        return pggan.missing(Mgan(generator=choice.generator).checkpoint)

    def restore(self, observation: Observation, choice: Choice) -> Restoration:
        y = observation.y
        network = _released(fetch.local_path(checkpoint(observation, choice)), y.device, y.dtype)
        g = Mgan(generator=choice.generator).restore(observation).image
        return restore_released(network, y, g)
