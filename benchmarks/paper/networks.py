"""The released φ-networks, and ours in their place, as methods that fuse a given image of the prior.

An object serves one image: its g is given and does not follow the observation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from benchmarks.rows import Row
from bigprior.fusion import Restoration
from bigprior.phi.network import PhiNetwork, load_phi, shipped
from bigprior.phi.paper_backbone import PaperBackbone, load_released, restore_released
from bigprior.phi.released import RELEASE
from datasets import fetch
from datasets.observation import Observation
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.base import Method
from methods.registry import get_method

PAPER = (
    "M. El Helou, S. Süsstrunk, BIGPrior: Towards Decoupling Learned Prior Hallucination and Data Fidelity in Image "
    "Restoration, IEEE TIP, 2022"
)
CHROMA = "chroma-given-luma-row-bedroom"
"""The method whose image is the better f(y): fitted on the training images of the set."""
OURS = {"phi-gray": "phi-mgan-bedroom-gray", "phi-chroma": "phi-mgan-bedroom-chroma"}
"""Our φ-networks for the released inversions: row → name of the shipped weights."""
CHECKPOINTS = {"bigprior-released": "col_bedroom_1", "bigprior-released-church": "col_church_1"}
"""The released φ-networks for colorization: row → folder of the release."""
ROWS = {
    "mgan-prior": "the released inversion alone",
    "bigprior-released": "the released φ-network (unbounded, three channels), f = y",
    "bigprior-released-church": "the φ-network released for churches, on these bedrooms",
    "phi-gray": "our φ-network (bounded, one channel), f = neutral gray",
    "phi-chroma": f"our φ-network, f = {CHROMA}",
    CHROMA: "that f alone, no inversion",
}
"""The rows of the reproduction, bedroom colorization, and what they are."""


def checkpoint(experiment: str) -> Path:
    """Return the checkpoint of a released φ-network, by the name of its folder.

    Raises:
        SuiteError: it is not on this machine and cannot be downloaded.
    """
    return fetch.local_path(f"{RELEASE}/net_data/{experiment}/net_24.pth")


@cache
def _released(path: Path) -> PaperBackbone:
    return load_released(path)


@cache
def _ours(path: Path) -> PhiNetwork:
    return load_phi(path)


@dataclass(frozen=True, eq=False)
class Given(Method):
    """A method of one image, whose g (1,3,H,W) is given."""

    prior: Tensor

    citation: ClassVar[str] = PAPER
    problems: ClassVar[tuple[Problem, ...]] = (COLORIZATION, DENOISING, INPAINTING)
    warm_up: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class PriorAlone(Given):
    """x̂ = g."""

    name: ClassVar[str] = "mgan-prior"
    summary: ClassVar[str] = ROWS["mgan-prior"]
    decoupled: ClassVar[bool] = False

    def restore(self, observation: Observation) -> Restoration:
        return Restoration(self.prior)


@dataclass(frozen=True, eq=False)
class ReleasedPhi(Given):
    """x̂ = (1 − φ) y + φ g with a released φ-network of y.

    Args:
        path: its checkpoint.
    """

    path: Path

    name: ClassVar[str] = "bigprior-released"
    summary: ClassVar[str] = "a released φ-network, g given"
    decoupled: ClassVar[bool] = True

    def weights(self) -> tuple[Path, ...]:
        return (self.path,)

    def restore(self, observation: Observation) -> Restoration:
        return restore_released(_released(self.path), observation.y, self.prior)


@dataclass(frozen=True, eq=False)
class OurPhi(Given):
    """x̂ = (1 − φ) f(y) + φ g with one of our φ-networks, of f, g, the mask and σ.

    Args:
        path: its weights.
        fidelity: name of f(y) in `FIDELITIES`.
    """

    path: Path
    fidelity: str

    name: ClassVar[str] = "phi-ours"
    summary: ClassVar[str] = "our φ-network, g given"
    decoupled: ClassVar[bool] = True

    def weights(self) -> tuple[Path, ...]:
        return (self.path,)

    def restore(self, observation: Observation) -> Restoration:
        f, sigma = FIDELITIES[self.fidelity](observation), observation.sigma
        assert sigma is not None
        phi = _ours(self.path)(f, self.prior, observation.mask, sigma)
        return Restoration.fused(f, self.prior, phi)


@dataclass(frozen=True)
class ChromaAlone(Method):
    """The image of the row `CHROMA`, as the f that it is here: without a φ of its own."""

    name: ClassVar[str] = CHROMA
    summary: ClassVar[str] = ROWS[CHROMA]
    citation: ClassVar[str] = PAPER
    problems: ClassVar[tuple[Problem, ...]] = (COLORIZATION,)
    decoupled: ClassVar[bool] = False
    warm_up: ClassVar[bool] = False

    def restore(self, observation: Observation) -> Restoration:
        return Restoration(usual_chroma(observation))


def neutral_gray(observation: Observation) -> Tensor:
    """Return y as an image without colours."""
    return observation.fidelity


def usual_chroma(observation: Observation) -> Tensor:
    """Return y with the usual chroma of that luma and row in the training images of the bedrooms."""
    return get_method(CHROMA).restore(observation).image


FIDELITIES: dict[str, Callable[[Observation], Tensor]] = {"gray": neutral_gray, "chroma": usual_chroma}


def row_of(name: str, prior: Tensor) -> Row:
    """Return a row of `ROWS` for one image.

    Args:
        prior: its released inversion (1,3,H,W).

    Raises:
        SuiteError: a checkpoint or weights are not there.
    """
    return Row(name, name, _method(name, prior))


def _method(name: str, prior: Tensor) -> Method:
    if name == CHROMA:
        return ChromaAlone()
    if name in CHECKPOINTS:
        return released_phi(CHECKPOINTS[name], prior)
    if name in OURS:
        path = shipped(OURS[name])
        _ours(path)  # a file that is missing is said here, not by every image
        return OurPhi(prior, path, name.removeprefix("phi-"))
    return PriorAlone(prior)


def released_phi(experiment: str, prior: Tensor) -> ReleasedPhi:
    """Return a released φ-network with the prior of one image.

    Raises:
        SuiteError: its checkpoint is not there.
    """
    path = checkpoint(experiment)
    _released(path)
    return ReleasedPhi(prior, path)
