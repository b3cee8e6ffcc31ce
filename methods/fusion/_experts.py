"""BIGPrior with experts for prior: f, g and φ of every operator."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.denoiser import untrained
from bigprior.freedom import everywhere, in_holes, where_noisy
from bigprior.fusion import Restoration
from bigprior.phi.least_squares import load_linear
from bigprior.phi.network import load_phi, shipped
from bigprior.precision import Precision
from bigprior.priors.compact.prior import WEIGHTS, CompactPrior, load_prior
from datasets.blur import PERIODIC_DEBLURRING, PeriodicBlur
from datasets.compression import DEBLOCKING, Jpeg
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator
from datasets.resize import BICUBIC_REDUCTION, BicubicReduction
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem
from methods.base import noise_level
from methods.classic._reduction import singular
from methods.classic.back_projection import BackProjection
from methods.classic.chroma_given_luma_row import ChromaGivenLumaRow
from methods.classic.harmonic import Harmonic
from methods.classic.wiener_deconvolution import WienerDeconvolution
from methods.fusion._parts import (
    Choice,
    Network,
    Parts,
    Prior,
    fused_with,
    fused_without_own,
)
from methods.fusion.pnp import PnP
from methods.supervised.chroma_cnn import ChromaCnn
from methods.supervised.gated_cnn import GatedCnn
from methods.supervised.unet_artefacts import UNetArtefacts
from methods.supervised.unet_sigma import UNetSigma

USUAL = ChromaGivenLumaRow()
"""f in colorization: the table of all three LSUN training sets."""
DENOISER, HOLES, COLOURS, ARTEFACTS = UNetSigma(), GatedCnn(), ChromaCnn(), UNetArtefacts()
"""The experts: their networks are parts of the prior."""
SPREAD = BackProjection.spread
"""Standard deviation of what a prior image is wrong by, on the [0,1] scale; it matters only if there is noise."""


def as_observed(observation: Observation) -> Tensor:
    """Return y."""
    return observation.y


def harmonic(observation: Observation) -> Tensor:
    """Return y with its harmonic extension into the holes (the row `harmonic`)."""
    return Harmonic().restore(observation).image


def usual_colours(observation: Observation) -> Tensor:
    """Return the luma y with the usual chroma of that luma and height in the image (`chroma-given-luma-row`)."""
    return USUAL.restore(observation).image


def back_projected(observation: Observation) -> Tensor:
    """Return an interpolation of y, corrected until it explains y (the row `back-projection`)."""
    return BackProjection().restore(observation).image


def wiener(observation: Observation) -> Tensor:
    """Return the Wiener deconvolution of y (the row `wiener-deconvolution`)."""
    return WienerDeconvolution().restore(observation).image


def told(observation: Observation) -> Observation:
    """Return the observation with its σ told: if it is hidden, the estimate from y."""
    return observation if observation.sigma is not None else observation.told(Gaussian(noise_level(observation)))


def posterior_mean(observation: Observation, precision: Precision) -> Tensor:
    """Return E[x | y] under the compact prior, whose expert for noise is the network of the row `unet-sigma`.

    A hidden σ is estimated from y.
    """
    y = observation.y
    network = load_prior(device=y.device, dtype=y.dtype)
    expert = DENOISER.loaded(untrained, y)
    return CompactPrior(network, expert, precision=precision).invert(told(observation)).image


def hole_fill(observation: Observation, precision: Precision) -> Tensor:
    """Return the fill of the network of `gated-cnn`."""
    return GatedCnn(precision=precision).restore(observation).image


def median_colours(observation: Observation, precision: Precision) -> Tensor:
    """Return the median chroma given the luma image, of the network of `chroma-cnn`."""
    return ChromaCnn(precision=precision).restore(observation).image


def without_artefacts(observation: Observation, precision: Precision) -> Tensor:
    """Return what the network of `unet-artefacts` makes of a JPEG, or of an enlarged image."""
    return UNetArtefacts(precision=precision).restore(observation).image


def without_artefacts_explaining(observation: Observation, precision: Precision) -> Tensor:
    """Return the same, corrected until it explains the small image: its part in the null space, and y in the range.

    With noise the posterior mean for x − g of standard deviation `SPREAD`, as in the row `back-projection`.
    """
    g = without_artefacts(observation, precision)
    ratio = (noise_level(observation) / SPREAD).square().view(-1, 1, 1, 1)
    return singular(observation, "bigprior").data_step(observation.y, g, ratio)


def plug_and_play(observation: Observation, precision: Precision) -> Tensor:
    """Return the result of the row `pnp`, whose prior is the denoiser of `unet-sigma`."""
    return _with_denoiser(precision).restore(observation).image


@cache
def _with_denoiser(precision: Precision) -> PnP:
    return PnP(denoiser=f"{DENOISER.name}[precision={precision}]")


EXPERTS: dict[type[Operator], Parts] = {
    Identity: Parts(
        as_observed, posterior_mean, "phi-compact-denoise", load_phi, fused_without_own, where_noisy
    ),
    Masking: Parts(harmonic, hole_fill, "phi-compact-inpaint", load_phi, fused_with, in_holes),
    Luma: Parts(usual_colours, median_colours, "phi-compact-colorize", load_linear, fused_with, everywhere),
    Jpeg: Parts(as_observed, without_artefacts, "phi-jpeg", load_phi, fused_with, everywhere),
    BicubicReduction: Parts(
        back_projected, without_artefacts_explaining, "phi-super-resolve", load_phi, fused_with, everywhere
    ),
    PeriodicBlur: Parts(wiener, plug_and_play, "phi-deblur", load_phi, fused_with, everywhere),
}  # fmt: skip
"""(f, g, φ) of every operator that BIGPrior knows."""


def parts_of(observation: Observation) -> Parts:
    """Return the parts for an observation.

    Raises:
        ValueError: there are none for its operator.
    """
    return by_operator(EXPERTS, observation.operator, "bigprior")


@cache
def _network(parts: Parts, device: torch.device) -> Network:
    return parts.load(shipped(parts.phi)).to(device)


class Experts(Prior):
    """An expert for every operator, with a φ-network."""

    problems: ClassVar[tuple[Problem, ...]] = (
        DENOISING, INPAINTING, COLORIZATION, DEBLOCKING, BICUBIC_REDUCTION, PERIODIC_DEBLURRING,
    )  # fmt: skip

    def weights(self, choice: Choice) -> tuple[Path, ...]:
        experts = (path for expert in (DENOISER, HOLES, COLOURS, ARTEFACTS) for path in expert.weights())
        return tuple(dict.fromkeys((WEIGHTS, *experts, *(shipped(parts.phi) for parts in EXPERTS.values()))))

    def restore(self, observation: Observation, choice: Choice) -> Restoration:
        parts = parts_of(observation)
        observation = told(observation)  # once, for the prior and for φ
        f = parts.fidelity(observation)
        estimated = parts.belief(observation, choice.precision)
        with torch.no_grad():
            return parts.fuse(_network(parts, f.device), observation, f, estimated)
