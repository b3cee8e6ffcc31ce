"""Training of the network of all conditional means, on conditions of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.checkpoints import check_shapes, read_safetensors, shapes_of
from bigprior.holes import random_hole
from bigprior.networks import BiasFreeUNet
from bigprior.priors.compact.means import Knowledge, estimate, untrained
from bigprior.training import Problem, Recipe
from datasets.operators import Luma, Masking
from datasets.task import Key
from datasets.tasks.inpaint_center import InpaintCenter
from datasets.training_images import TrainingImages

SIGMA_MAX = 55 / 255
"""Largest noise of the denoising conditions."""
STRONG = (0.02, 20.0)
"""Range of the noise of the conditions that sampling passes through, drawn log-uniformly."""
UNTOLD = 0.5
"""Share of the denoising crops whose σ the network is not told."""
GRAY_SHARE = 0.1
"""Share of the denoising crops that are gray with the same noise in all channels."""
EXPOSURE = (0.75, 1.25)
"""Range of the factor by which a crop with known luma is made darker or brighter."""
FLOOR = 1e-5
"""Added to the error before the logarithm: crops at 50 dB and more count no further."""
VALIDATED = 5
"""Images per set that validate."""


@dataclass(frozen=True)
class Example:
    """Clean crops (N,3,S,S), what is known of them, and the weight (N,1,S,S) of the pixels in the loss."""

    clean: Tensor
    known: Knowledge
    weight: Tensor


@dataclass(frozen=True)
class Conditions(Problem[BiasFreeUNet, Example]):
    """The mean over crops of log(MSE + 1e-5) of the conditional mean, over conditions of five kinds.

    A step has one kind: noise up to σ 55, told or not; noise of any strength, on whole and on halved images; noise with
    missing pixels; holes, some of them with strongly noisy pixels instead of none; luma alone, some with strongly noisy
    colours. The logarithm weighs them alike.

    Args:
        start: weights of the suite's denoiser to begin with, or None.
    """

    images: TrainingImages
    start: Path | None = None
    selection: ClassVar[str] = "PSNR"

    def network(self) -> BiasFreeUNet:
        network = untrained()
        return network if self.start is None else warm(network, self.start)

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Example:
        kind: Callable[[np.random.Generator, Recipe], Example] = random.choice(
            np.array([self._noise, self._strong, self._missing, self._holes, self._luma]),
            p=[0.25, 0.33, 0.02, 0.25, 0.15],
        )
        return kind(random, recipe)

    def _noise(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean = self.images.crops(random, recipe.batch, recipe.size)
        noise = normal_like(random, clean)
        gray = torch.from_numpy(random.random(len(clean)) < GRAY_SHARE)
        clean[gray] = Luma().forward(clean[gray]).expand(-1, 3, -1, -1)
        noise[gray] = noise[gray, :1].expand(-1, 3, -1, -1)
        sigma = as_map(random.uniform(0, SIGMA_MAX, len(clean)), clean)
        told = as_map(random.random(len(clean)) >= UNTOLD, clean)
        return Example(clean, Knowledge(clean + sigma * noise, sigma, told), torch.ones_like(sigma))

    def _strong(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean = self.images.upright(random, 2, 128, scales=(1, 2, 2))
        sigma = as_map(_log_uniform(random, 2), clean)
        # Now and then nothing is known at all: that is where sampling begins.
        sigma[torch.from_numpy(random.random(2) < 0.05)] = torch.inf
        return Example(clean, _seen(clean, sigma, random), torch.ones_like(sigma))

    def _missing(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean = self.images.crops(random, 3, recipe.size)
        sigma = as_map(random.uniform(0, SIGMA_MAX, len(clean)), clean)
        if random.random() < 0.7:
            row, column = random.integers(2, size=2)
            missing = torch.zeros_like(sigma)
            missing[..., row::2, column::2] = 1
        else:
            missing = torch.from_numpy(random.random(sigma.shape) < random.uniform(0.1, 0.6)).float()
        known = _seen(clean, torch.where(missing > 0, torch.inf, sigma), random)
        return Example(clean, known, missing)

    def _holes(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean = self.images.upright(random, 2, 160)
        mask = torch.from_numpy(np.stack([random_hole(random, 160) for _ in range(2)])).unsqueeze(1)
        inside = as_map(np.where(random.random(2) < 0.7, np.inf, _log_uniform(random, 2)), clean)
        outside = as_map(np.where(random.random(2) < 0.85, 0, random.uniform(0, SIGMA_MAX, 2)), clean)
        known = _seen(clean, torch.where(mask > 0, outside, inside), random)
        return Example(clean, known, 1 - mask)

    def _luma(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean = self.images.upright(random, 2, 160) * float(random.uniform(*EXPOSURE))
        clean.clamp_(0, 1)
        sigma = as_map(np.where(random.random(2) < 0.75, np.inf, _log_uniform(random, 2)), clean)
        return Example(clean, _seen(clean, sigma, random, Luma().forward(clean)), torch.ones_like(sigma))

    def loss(self, network: BiasFreeUNet, batch: Example, progress: float) -> Tensor:
        restored = estimate(network, batch.known).float()
        return torch.log(_error(restored, batch) + FLOOR).mean()

    @torch.no_grad()
    def validate(self, network: BiasFreeUNet) -> dict[str, float]:
        """PSNR in dB of held-out images, clipped: blind at σ 25, with a centre hole, from luma; and their mean."""
        clean = torch.stack([_central(x, 128) for images in self.images.validation() for x in images[:VALIDATED]])
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        sigma = torch.full_like(clean[:, :1], 25 / 255)
        scores = {"noise": _psnr(network, clean, Knowledge(clean + sigma * noise, sigma, torch.zeros_like(sigma)))}
        whole = [x for images in self.images.validation() for x in images[:VALIDATED] if x.shape[-2:] == (256, 256)]
        if whole:
            clean = torch.stack(whole)
            operator = InpaintCenter().degrade(clean[0], Key(0, "", "")).operator
            assert isinstance(operator, Masking)
            sigma = torch.where(operator.mask > 0, 0, torch.inf).expand(len(clean), -1, -1, -1)
            scores["hole"] = _psnr(network, clean, Knowledge(clean, sigma, torch.ones_like(sigma)))
            nothing = torch.full_like(sigma, torch.inf)
            luma = Luma().forward(clean)
            scores["luma"] = _psnr(network, clean, Knowledge(clean, nothing, torch.ones_like(sigma), luma))
        return {"PSNR": sum(scores.values()) / len(scores)} | scores


def warm(network: BiasFreeUNet, file: Path, inputs: int = 4, what: str = "a denoiser of this width") -> BiasFreeUNet:
    """Give a network the weights of one of the same widths with fewer inputs, by default a denoiser's (y, σ).

    Args:
        inputs: of the other network; they are the first ones here, and the weights of the rest are 0.
        what: the other network is, for the message.

    Raises:
        SuiteError: the file is of another network.
    """
    state = read_safetensors(file)
    head = network.head.weight.detach().clone().zero_()
    known = head[:, :inputs]
    check_shapes(file, what, state, shapes_of(network) | {"head.weight": tuple(known.shape)})
    known.copy_(state["head.weight"])
    network.load_state_dict(state | {"head.weight": head})
    return network


def as_map(values: object, like: Tensor) -> Tensor:
    """Return one value per crop as a map (N,1,S,S)."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).view(-1, 1, 1, 1).repeat(1, 1, *like.shape[-2:])


def normal_like(random: np.random.Generator, like: Tensor) -> Tensor:
    """Return standard normal numbers in the shape of a tensor."""
    return torch.from_numpy(random.standard_normal(like.shape, dtype=np.float32))


def _log_uniform(random: np.random.Generator, count: int) -> np.ndarray:
    low, high = np.log(STRONG)
    return np.exp(random.uniform(float(low), float(high), count))


def _seen(clean: Tensor, sigma: Tensor, random: np.random.Generator, luma: Tensor | None = None) -> Knowledge:
    finite = torch.where(torch.isfinite(sigma), sigma, 0)
    return Knowledge(clean + finite * normal_like(random, clean), sigma, torch.ones_like(sigma), luma)


def _error(restored: Tensor, batch: Example) -> Tensor:
    squared = (restored - batch.clean).square().mean(dim=1, keepdim=True) * batch.weight
    return squared.sum(dim=(1, 2, 3)) / batch.weight.sum(dim=(1, 2, 3)).clamp_min(1)


def _central(image: Tensor, side: int) -> Tensor:
    top, left = ((length - side) // 2 for length in image.shape[-2:])
    return image[:, top : top + side, left : left + side]


def _psnr(network: BiasFreeUNet, clean: Tensor, known: Knowledge) -> float:
    """Mean PSNR over images, those pixels that are known exactly being right."""
    restored = []
    for k in range(0, len(clean), 5):
        part = slice(k, k + 5)
        luma = None if known.luma is None else known.luma[part]
        piece = Knowledge(known.y[part], known.sigma[part], known.told[part], luma)
        restored.append(torch.where(piece.sigma > 0, estimate(network, piece), clean[part]))
    mse = (torch.cat(restored).clamp(0, 1) - clean).square().mean(dim=(1, 2, 3))
    return float(-10 * mse.log10().mean())
