"""Conditional means from one network, and samples drawn with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.denoiser import denoise_both_ways
from bigprior.frozen import frozen
from bigprior.networks import BiasFreeUNet
from bigprior.precision import Precision, computing
from bigprior.priors.base import (
    GenerativePrior,
    Inversion,
    NonFiniteInversion,
    Progress,
    as_image_space,
    measure,
)
from bigprior.priors.compact.means import GRAY, Knowledge, estimate, untrained
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator

WEIGHTS = Path(__file__).parents[2] / "weights" / "compact-prior.safetensors"
WHAT, REMEDY = "the network of the compact prior", "train it with `python -m bigprior.train prior`"


def load_prior(
    file: Path = WEIGHTS, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> BiasFreeUNet:
    """Return the network, frozen and channels_last; it is read once per process.

    Raises:
        SuiteError: the file is not there or is of another network (the first missing and unexpected key are named).
    """
    return frozen(untrained, file, WHAT, REMEDY, torch.device(device), dtype)


@dataclass(frozen=True)
class CompactPrior(GenerativePrior):
    """The distribution p(x) of images of which a network estimates all conditional means (`means.estimate`).

    The gradient of a log density of noisy images is a conditional mean: ∇ log p(x + σn) = (E[x | x + σn] − (x + σn))/σ²
    (Miyasawa 1961). So a network of means is a generative model: its latents are white noise z ~ N(0, I) of the size of
    the image, and `decode` follows the probability flow from σ = ∞ down to 0. The same network is given y as well, so
    `sample` follows the flow of p(x | y), through the operator of any task, without an approximation of the guidance:
    noisy pixels and the state of the flow are two independent looks at one pixel, and are merged by their precisions.

    `invert` gives the mean of p(x | y) directly.

    Where every pixel has the same noise, `invert` asks an expert instead, if there is one: a network that was trained
    for that alone. It has no biases and goes on beyond the noise it was trained for. A flow asks it up to `WEAK`, in
    the last steps: its beginning wants scenes, not photographs without their noise.

    Args:
        network: from `load_prior`.
        expert: a denoiser (`bigprior.denoiser`), or None.
        steps: evaluations of the network per image that is drawn.
        samples: draws per image from which `invert` tells the posterior standard deviation; none if under 2.
        precision: of the convolutions.

    Source: J. Song et al., "Denoising Diffusion Implicit Models", ICLR 2021, and Y. Song et al., "Score-Based
    Generative Modeling through Stochastic Differential Equations", ICLR 2021 (flow); Z. Kadkhodaie and E. Simoncelli,
    "Stochastic Solutions for Linear Inverse Problems Using the Prior Implicit in a Denoiser", NeurIPS 2021 (a denoiser
    as the prior).
    """

    STRONGEST: ClassVar[float] = 20.0
    WEAKEST: ClassVar[float] = 0.01
    """Ends of the noise schedule, geometric between them."""
    WEAK: ClassVar[float] = 55 / 255
    """The strongest noise that the expert was trained for."""

    network: BiasFreeUNet
    expert: BiasFreeUNet | None = None
    steps: int = 40
    samples: int = 0
    precision: Precision = "float32"

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the images (N,3,H,W) in [0,1] of latents (z,), z (N,3,H,W) of independent standard normal numbers."""
        (z,) = latents
        nothing = torch.full_like(z[:, :1], torch.inf)
        return self._flow(Knowledge(torch.full_like(z, GRAY), nothing, torch.ones_like(nothing)), z).clamp(0, 1)

    def encode(self, image: Tensor) -> tuple[Tensor]:
        """Return the latents (z,) of images (N,3,H,W): the flow of `decode` backwards, to its discretisation."""
        nothing = torch.full_like(image[:, :1], torch.inf)
        known = Knowledge(image, nothing, torch.ones_like(nothing))
        x = image
        schedule = list(self._schedule())
        start = self._mean(known)
        for weak, strong in reversed(schedule):
            if weak == 0:
                continue  # the last step of the flow forgets its state
            guess = self._mean(_merged(known, x, weak))
            x = guess + strong / weak * (x - guess)
        return ((x - start) / schedule[0][1],)

    def sample(self, observation: Observation, latents: Sequence[Tensor]) -> Tensor:
        """Return draws from p(x | y), one per latent, in the observation's image space, not clipped.

        Args:
            latents: (z,), z (N,3,H,W).
        """
        (z,) = latents
        known = known_of(observation)
        return _with_data(observation, known, as_image_space(observation, self._flow(known, z)))

    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        """Return g = E[x | y], with one loss: the mean of (A g − y)² over observed pixels.

        Nothing is iterated, so there is nothing to stop. A conditional mean is not an image that was drawn, so there
        are no latents; `sample` has them. Holes: g is y where observed. Colorization: g has the luma of y.
        """
        known = known_of(observation)
        g = self._mean(known, strongest=self.STRONGEST)
        image = _with_data(observation, known, as_image_space(observation, g))
        weight = observation.mask.expand_as(observation.y)
        loss = ((measure(observation, image) - observation.y).square() * weight).flatten(1).sum(1)
        loss = loss / weight.flatten(1).sum(1).clamp_min(1)
        broken = (~torch.isfinite(image.flatten(1)).all(dim=1)).nonzero().flatten().tolist()
        if broken:
            raise NonFiniteInversion(broken, 0)
        if progress is not None:
            progress(1, 1, loss)
        return Inversion(image, loss[None], torch.ones(len(image), dtype=torch.int64), (), self._spread(observation))

    def _spread(self, observation: Observation) -> Tensor | None:
        """The standard deviation (N,1,H,W) of `samples` draws, the same seeds for every image."""
        if self.samples < 2:
            return None
        y = observation.y
        draws = []
        for seed in range(self.samples):
            z = torch.randn(3, *y.shape[-2:], generator=torch.Generator().manual_seed(seed)).to(y)
            draws.append(self.sample(observation, (z.expand(len(y), -1, -1, -1),)))
        return torch.stack(draws).var(dim=0).mean(dim=1, keepdim=True).sqrt()

    def _mean(self, known: Knowledge, strongest: float = WEAK) -> Tensor:
        """E[x | known], from the expert where every pixel has the same noise, no stronger than that or unknown."""
        with torch.inference_mode(), computing(self.precision, known.y.device.type):
            if self.expert is None or known.luma is not None:
                return estimate(self.network, known)
            # Per image, so that an image's result does not depend on its batch.
            weak = (known.sigma == known.sigma[..., :1, :1]).flatten(1).all(dim=1)
            weak &= (known.sigma[:, 0, 0, 0] <= strongest) | (known.told[:, 0, 0, 0] == 0)
            told = known.sigma[:, 0, 0, 0] * known.told[:, 0, 0, 0]
            if bool(weak.all()):
                return denoise_both_ways(self.expert, known.y, told)
            if not bool(weak.any()):
                return estimate(self.network, known)
            mean, rest = torch.empty_like(known.y), ~weak
            mean[weak] = denoise_both_ways(self.expert, known.y[weak], told[weak])
            mean[rest] = estimate(self.network, Knowledge(known.y[rest], known.sigma[rest], known.told[rest]))
            return mean

    def _schedule(self) -> Iterator[tuple[float, float]]:
        """Pairs (next σ, σ) from strong to weak; the last goes to 0."""
        ratio = (self.WEAKEST / self.STRONGEST) ** (1 / (self.steps - 1))
        levels = [self.STRONGEST * ratio**k for k in range(self.steps)] + [0.0]
        return ((levels[k + 1], levels[k]) for k in range(self.steps))

    def _flow(self, known: Knowledge, z: Tensor) -> Tensor:
        """Follow x' = −σ' σ ∇ log p(x; σ | y) from STRONGEST to 0: x ← D + (σ⁺/σ)(x − D)."""
        x = self._mean(known) + self.STRONGEST * z
        for weak, strong in self._schedule():
            guess = self._mean(_merged(known, x, strong))
            x = guess + weak / strong * (x - guess)
        return x


def _known_noisy(y: Tensor, observation: Observation, level: Tensor, told: Tensor) -> Knowledge:
    return Knowledge(y, level, told)


def _known_outside_holes(y: Tensor, observation: Observation, level: Tensor, told: Tensor) -> Knowledge:
    return Knowledge(y, torch.where(observation.mask > 0, level, torch.inf), told)


def _known_luma(y: Tensor, observation: Observation, level: Tensor, told: Tensor) -> Knowledge:
    return Knowledge(y, torch.full_like(level, torch.inf), torch.ones_like(told), observation.y)


KNOWN: dict[type[Operator], Callable[[Tensor, Observation, Tensor, Tensor], Knowledge]] = {
    Identity: _known_noisy,
    Masking: _known_outside_holes,
    Luma: _known_luma,
}
"""Operator → what is known, from f(y) as RGB, the observation, and maps of σ and of whether it is told."""


def known_of(observation: Observation) -> Knowledge:
    """Say what an observation tells of a colour image: gray images are three equal channels with equal noise.

    Raises:
        ValueError: the prior does not know the operator (`KNOWN`).
    """
    known = by_operator(KNOWN, observation.operator, "the compact prior")
    y = observation.fidelity.expand(-1, 3, -1, -1)
    sigma = y.new_zeros(len(y)) if observation.sigma is None else observation.sigma.to(y)
    level = sigma.view(-1, 1, 1, 1).expand_as(observation.mask)
    told = y.new_full((1, 1, 1, 1), float(observation.sigma is not None)).expand_as(observation.mask)
    return known(y, observation, level, told)


def _merged(known: Knowledge, x: Tensor, sigma: float) -> Knowledge:
    """Two independent looks at each pixel, y at σ_y and x at σ, as one: weights 1/σ², and 1/σ² adds up."""
    precision = known.sigma.square().reciprocal()  # 0 where σ = ∞, ∞ where exact
    share = torch.where(torch.isinf(precision), 1, precision / (precision + sigma**-2))
    merged = (precision + sigma**-2).rsqrt()
    return Knowledge(share * known.y + (1 - share) * x, merged, torch.ones_like(known.told), known.luma)


def _with_data(observation: Observation, known: Knowledge, image: Tensor) -> Tensor:
    """Give pixels that were observed without noise their values."""
    return torch.where((known.sigma == 0) & (known.told > 0), observation.fidelity, image)
