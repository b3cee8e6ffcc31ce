"""What the rows of the compact prior share: f(y), g and φ of every task."""

from __future__ import annotations

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
from bigprior.priors.compact.prior import WEIGHTS, CompactPrior, load_prior
from datasets.observation import Identity, Luma, Masking, Observation
from methods.base import Method, noise_level
from methods.classic.chroma_given_luma_row import ChromaGivenLumaRow
from methods.classic.harmonic import Harmonic
from methods.supervised._trained import Precision
from methods.supervised.chroma_cnn import ChromaCnn
from methods.supervised.gated_cnn import GatedCnn
from methods.supervised.unet_blind import UNetBlind

USUAL = ChromaGivenLumaRow()
"""f in colorization: the table of all three LSUN training sets."""
DENOISER, COLOURS = UNetBlind(), ChromaCnn()
NETWORKS: dict[type, str] = {
    Identity: "phi-compact-denoise",
    Masking: "phi-compact-inpaint",
    Luma: "phi-compact-colorize",
}
"""Operator → the shipped φ-network."""


def fidelity(observation: Observation) -> Tensor:
    """Return f(y) (N,C,H,W), which no network made: y; its harmonic extension into holes (the row `harmonic`); in
    colorization its luma with the usual chroma of that luma and height in the image (`chroma-given-luma-row`)."""
    if isinstance(observation.operator, Masking):
        return Harmonic().restore(observation).image
    if isinstance(observation.operator, Luma):
        return USUAL.restore(observation).image
    return observation.y


def belief(observation: Observation, precision: Precision = "bfloat16") -> Tensor:
    """Return what the shipped priors believe of x (N,C,H,W), given y; two of the φ-networks learn from it.

    Noise: E[x | y] of the compact prior, whose expert for it is the network of the row `unet-blind`. Holes and
    colours: the fill of the network of `gated-cnn`, and the median chroma of that of `chroma-cnn`, which were trained
    for nothing else. They know more of holes and colours than the compact prior does: see the row `compact-prior`.
    """
    if isinstance(observation.operator, Luma):
        return ChromaCnn(precision=precision).restore(observation).image
    if isinstance(observation.operator, Masking):
        return GatedCnn(precision=precision).restore(observation).image
    y = observation.y
    network = load_prior(device=y.device, dtype=y.dtype)
    return CompactPrior(network, DENOISER.loaded(untrained, y), precision=precision).invert(observation).image


def exact_mean(observation: Observation) -> Tensor:
    """Return E[x | y] with convolutions in single precision: the φ-network of denoising learns its derivative."""
    return belief(observation, "float32")


def parts(observation: Observation, precision: Precision) -> Restoration:
    """Return the fusion of `bigprior`: see there."""
    f = fidelity(observation)
    restored = belief(observation, precision)
    network = _network(type(observation.operator), f.device)
    with torch.no_grad():
        if not isinstance(observation.operator, Identity):
            phi = network(f, restored, observation.mask, f.new_zeros(len(f)))
            return Restoration.fused(f, restored, phi)
        sigma = noise_level(observation)
        phi = network(f, restored, observation.mask, sigma).clamp_min(LEAST)
        noisy = (sigma > 0).view(-1, 1, 1, 1)
        return Restoration.fused(f, without_own(f, restored, phi), torch.where(noisy, phi, 0))


@cache
def _network(operator: type, device: torch.device) -> PhiNetwork | LinearPhi:
    load = load_linear if operator is Luma else load_phi
    return load(shipped(NETWORKS[operator])).to(device)


class Compact(Method):
    """Tasks, devices and weights of the rows of the compact prior.

    Attributes:
        precision: of the prior's convolutions.
    """

    tasks: ClassVar[tuple[str, ...]] = ("denoise", "inpaint-center", "inpaint-random", "colorize")
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    batch_size: ClassVar[int] = 4

    def weights(self) -> tuple[Path, ...]:
        return (
            WEIGHTS,
            *DENOISER.weights(),
            *GatedCnn().weights(),
            *COLOURS.weights(),
            *(shipped(name) for name in NETWORKS.values()),
        )
