"""BIGPrior: what f, g and φ are for every operator, and the row that fuses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.denoiser import untrained
from bigprior.fusion import Restoration
from bigprior.phi.implied import LEAST, without_own
from bigprior.phi.least_squares import LinearPhi, load_linear
from bigprior.phi.network import PhiNetwork, load_phi, shipped
from bigprior.precision import Precision, remarks_on
from bigprior.priors.compact.prior import WEIGHTS, CompactPrior, load_prior
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.base import Method, noise_level
from methods.classic.chroma_given_luma_row import ChromaGivenLumaRow
from methods.classic.harmonic import Harmonic
from methods.supervised.chroma_cnn import ChromaCnn
from methods.supervised.gated_cnn import GatedCnn
from methods.supervised.unet_blind import UNetBlind

USUAL = ChromaGivenLumaRow()
"""f in colorization: the table of all three LSUN training sets."""
DENOISER, HOLES, COLOURS = UNetBlind(), GatedCnn(), ChromaCnn()
"""The experts: their networks are parts of the prior."""

Network = PhiNetwork | LinearPhi


def as_observed(observation: Observation) -> Tensor:
    """Return y."""
    return observation.y


def harmonic(observation: Observation) -> Tensor:
    """Return y with its harmonic extension into the holes (the row `harmonic`)."""
    return Harmonic().restore(observation).image


def usual_colours(observation: Observation) -> Tensor:
    """Return the luma y with the usual chroma of that luma and height in the image (`chroma-given-luma-row`)."""
    return USUAL.restore(observation).image


def posterior_mean(observation: Observation, precision: Precision) -> Tensor:
    """Return E[x | y] under the compact prior, whose expert for noise is the network of the row `unet-blind`."""
    y = observation.y
    network = load_prior(device=y.device, dtype=y.dtype)
    return CompactPrior(network, DENOISER.loaded(untrained, y), precision=precision).invert(observation).image


def hole_fill(observation: Observation, precision: Precision) -> Tensor:
    """Return the fill of the network of `gated-cnn`."""
    return GatedCnn(precision=precision).restore(observation).image


def median_colours(observation: Observation, precision: Precision) -> Tensor:
    """Return the median chroma given the luma image, of the network of `chroma-cnn`."""
    return ChromaCnn(precision=precision).restore(observation).image


def fused_with(network: Network, observation: Observation, f: Tensor, g: Tensor) -> Restoration:
    """Return the fusion of f and g with the φ of the network."""
    phi = network(f, g, observation.mask, f.new_zeros(len(f)))
    return Restoration.fused(f, g, phi)


def fused_without_own(network: Network, observation: Observation, f: Tensor, restored: Tensor) -> Restoration:
    """Return D = E[x | y] as the fusion of y with g = (D − (1 − φ) y)/φ, φ at least `LEAST`; φ = 0 at σ = 0."""
    sigma = noise_level(observation)
    phi = network(f, restored, observation.mask, sigma).clamp_min(LEAST)
    noisy = (sigma > 0).view(-1, 1, 1, 1)
    return Restoration.fused(f, without_own(f, restored, phi), torch.where(noisy, phi, 0))


def where_noisy(observation: Observation) -> Tensor:
    """Return 1 (N,1,H,W), but 0 in an image that is known to have no noise."""
    phi = torch.ones_like(observation.mask)
    return phi if observation.sigma is None else phi * (observation.sigma > 0).view(-1, 1, 1, 1)


def in_holes(observation: Observation) -> Tensor:
    """Return 1 in the hole and 0 where a pixel was observed (N,1,H,W)."""
    return 1 - observation.mask


def everywhere(observation: Observation) -> Tensor:
    """Return 1 (N,1,H,W)."""
    return torch.ones_like(observation.mask)


@dataclass(frozen=True)
class Parts:
    """BIGPrior for one operator.

    Attributes:
        fidelity: Observation → f(y) (N,C,H,W), which no network made.
        belief: Observation, precision → the shipped priors' estimate of x given y (N,C,H,W).
        phi: name of the shipped φ-network in `bigprior/weights/`.
        load: reads its file.
        fuse: φ-network, Observation, f, belief → the fusion.
        free: Observation → (N,1,H,W), 1 where the data leave room for a prior and 0 where they are exact.
    """

    fidelity: Callable[[Observation], Tensor]
    belief: Callable[[Observation, Precision], Tensor]
    phi: str
    load: Callable[[Path], Network]
    fuse: Callable[[Network, Observation, Tensor, Tensor], Restoration]
    free: Callable[[Observation], Tensor]


PARTS: dict[type[Operator], Parts] = {
    Identity: Parts(
        as_observed, posterior_mean, "phi-compact-denoise", load_phi, fused_without_own, where_noisy
    ),
    Masking: Parts(harmonic, hole_fill, "phi-compact-inpaint", load_phi, fused_with, in_holes),
    Luma: Parts(usual_colours, median_colours, "phi-compact-colorize", load_linear, fused_with, everywhere),
}  # fmt: skip
"""(f, g, φ) of every operator that BIGPrior knows."""


def parts_of(observation: Observation) -> Parts:
    """Return the parts for an observation.

    Raises:
        ValueError: BIGPrior does not know its operator.
    """
    return by_operator(PARTS, observation.operator, "bigprior")


def fidelity(observation: Observation) -> Tensor:
    """Return f(y) (N,C,H,W)."""
    return parts_of(observation).fidelity(observation)


def belief(observation: Observation, precision: Precision = "bfloat16") -> Tensor:
    """Return the shipped priors' estimate of x (N,C,H,W), given y; two of the φ-networks learn from it.

    The experts for holes and colours know more of them than the compact prior does: see the row `compact-prior`.
    """
    return parts_of(observation).belief(observation, precision)


def exact_mean(observation: Observation) -> Tensor:
    """Return E[x | y] with convolutions in single precision: the φ-network of denoising learns its derivative."""
    return belief(observation, "float32")


def alone(observation: Observation, f: Tensor, g: Tensor) -> Restoration:
    """Return the fusion of f and g with φ = 1, but 0 where the data are exact: observed pixels, and σ known to be 0."""
    return Restoration.fused(f, g, parts_of(observation).free(observation))


@cache
def _network(parts: Parts, device: torch.device) -> Network:
    return parts.load(shipped(parts.phi)).to(device)


class BigpriorRow(Method):
    """Problems, devices and weights of the rows of BIGPrior.

    Attributes:
        precision: of the prior's convolutions.
    """

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    batch_size: ClassVar[int] = 4
    precision: Precision

    def remarks(self) -> tuple[str, ...]:
        return remarks_on(self.precision)

    def weights(self) -> tuple[Path, ...]:
        experts = (path for expert in (DENOISER, HOLES, COLOURS) for path in expert.weights())
        return (WEIGHTS, *experts, *(shipped(parts.phi) for parts in PARTS.values()))


@dataclass(frozen=True)
class Bigprior(BigpriorRow):
    """x̂ = (1 − φ) ⊙ f(y) + φ ⊙ g with a learned φ in [0,1], one per pixel, of the φ-network of the operator (`PARTS`).

    - denoising: f = y, and g the prior's estimate of a pixel from all other pixels: with D = E[x | y] and
      φ_i = 1 − ∂D_i/∂y_i as the φ-network tells it, g = (D − (1 − φ) y)/φ (`bigprior.phi.implied`). So x̂ = D, and φ is
      the share of it that is not the pixel's own datum: declared and implied reliance are the same, up to the error of
      the network. Blind: D is not told σ, the φ-network an estimate. φ is at least 0.02; 0 for an image without noise.
    - inpainting: f = the harmonic extension of y (`harmonic`), g = the fill of a prior for holes alone, whose network
      is that of the row `gated-cnn`; φ = 0 at observed pixels.
    - colorization: f = the luma with its usual chroma (`chroma-given-luma-row`), g = the median chroma given the luma
      image, of a prior for colours alone, whose network is that of the row `chroma-cnn`.

    The estimate of one generative prior in all of these tasks is the row `compact-prior`.

    φ is learned on the training splits of LSUN (`bigprior/weights/phi-compact-*.md`): in holes by a network, on the
    error of x̂ over that of the better of f and g; for colours in closed form, on the error of x̂ itself, from what
    members of g say of images that they have not seen (`bigprior.phi.least_squares`, `methods.fusion.unseen`).
    No term asks for a small φ.

    Args:
        precision: of the prior's convolutions.

    Raises:
        ValueError: (from `restore`) an operator that is not in `PARTS`.

    Source: M. El Helou and S. Süsstrunk, "BIGPrior: Towards Decoupling Learned Prior Hallucination and Data Fidelity in
    Image Restoration", IEEE TIP 2022. Deviations: another prior; a bounded φ-network; another f where the paper's is
    empty; in denoising a g without the pixel, and a φ that is fitted to the derivative and not to the image.
    """

    name: ClassVar[str] = "bigprior"
    summary: ClassVar[str] = "learned fusion of the data with our priors: the compact one, and an expert for each task"
    citation: ClassVar[str] = "M. El Helou, S. Süsstrunk, BIGPrior, IEEE TIP 2022; prior and φ of this suite"

    precision: Precision = "float32"

    def restore(self, observation: Observation) -> Restoration:
        parts = parts_of(observation)
        f = parts.fidelity(observation)
        estimated = parts.belief(observation, self.precision)
        with torch.no_grad():
            return parts.fuse(_network(parts, f.device), observation, f, estimated)
