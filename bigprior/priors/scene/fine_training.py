"""Training of the fine network: photographs given what is known of them and a coarse image such as the prior draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from bigprior.holes import random_hole
from bigprior.networks import BiasFreeUNet
from bigprior.priors.compact.means import Knowledge
from bigprior.priors.compact.prior import WEIGHTS as COMPACT
from bigprior.priors.compact.training import as_map, normal_like, warm
from bigprior.priors.critic import Critic, feature_distance, hinge, mean_at, unit_features
from bigprior.priors.scene.coarse import Grid
from bigprior.priors.scene.fine import refine, untrained
from bigprior.priors.scene.prior import ScenePrior
from bigprior.priors.scene.problem import Noisy
from bigprior.priors.scene.samplers import get_sampler
from bigprior.training import Problem, Recipe
from datasets.operators import Luma
from datasets.training_images import TrainingImages

COMPACT_INPUTS = 6
"""Of the compact prior: the first inputs here."""
FACTOR = 4
"""Of the photographs that holes and colours are learned from: 256 pixels, 64 cells."""
FACTORS = (1, 2, 4, 4, 4, 8)
"""Of the crops that noise is learned from."""
KINDS = {"hole": 0.5, "noise": 0.22, "luma": 0.28}
"""Share of the steps."""
REDRAWN = 0.6
"""Share of the crops whose coarse image was drawn again by the prior, where there are such images."""
SHAKEN = 0.03
"""Largest deviation of the noise that is added to the true coarse image."""
SIGMA_MAX = 55 / 255
UNTOLD = 0.3
"""Share of the noisy crops whose σ the network is not told."""
GRAY_SHARE = 0.1
"""Share of the noisy crops that are gray with the same noise in all channels."""
WINDOW = 96
"""Side of the window, centred on a hole, in which features are compared."""
WATCHED_FROM = 0.05
"""Share of the training before the features join in."""
FLOORS = {"hole": 1e-4, "noise": 1e-5, "luma": 1e-5}
"""Added to the error before the logarithm."""
VALIDATED = 4
"""Images per set that validate."""

AGAIN = (0.1, 1.2)
"""Range of the noise, on the [-1,1] scale, from which coarse images are drawn again."""
AGAIN_STEPS = 5

Bank = Mapping[tuple[int, int], Tensor]
"""(set, number) of a training image → its coarse image, drawn again (draws,3,h,w)."""


@dataclass(frozen=True)
class Example:
    """Clean crops (N,3,S,S), what is known of them, their coarse images enlarged, and the loss.

    Attributes:
        weight: (N,1,S,S), of the pixels in the loss.
        corner: (N,2) of the windows in which features are compared, or None.
        floor: added to the error before the logarithm.
    """

    clean: Tensor
    known: Knowledge
    coarse: Tensor
    weight: Tensor
    corner: Tensor | None
    floor: float


class Pair(nn.Module):
    """The fine network, and the critic that it is trained against."""

    def __init__(self, start: Path | None) -> None:
        super().__init__()
        self.fine = untrained() if start is None else warm(untrained(), start, COMPACT_INPUTS, "the compact prior")
        self.critic = Critic()


@dataclass(frozen=True)
class Refinement(Problem[Pair, Example]):
    """The mean over crops of log(MSE + floor), in holes with w · a distance of features and v · a critic's share.

    A step has one kind: a hole, noise up to σ 55 (told or not), or luma alone. The coarse image is the true one with a
    little noise, or one that the prior drew again from the true one with a lot of it (`redrawn`): draws have errors of
    their own, and whoever trusts the truth too much copies them.

    Args:
        images: 256×256 photographs, and others for noise.
        bank: coarse images that were drawn again.
        start: weights of the compact prior to begin with, or None.
        perceptual: w.
        adversarial: v.
    """

    images: TrainingImages
    noisy: TrainingImages
    bank: Bank
    start: Path | None = COMPACT
    perceptual: float = 8.0
    adversarial: float = 3.0
    selection: ClassVar[str] = "PSNR"

    def network(self) -> Pair:
        return Pair(self.start)

    def kept(self, network: Pair) -> BiasFreeUNet:
        return network.fine

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Example:
        kinds: dict[str, Callable[[np.random.Generator, Recipe], Example]] = {
            "hole": self._hole, "noise": self._noise, "luma": self._luma
        }  # fmt: skip
        return kinds[random.choice(list(KINDS), p=list(KINDS.values()))](random, recipe)

    def _hole(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean, coarse = self._placed(random, recipe.batch, recipe.size)
        masks = np.stack([random_hole(random, recipe.size) for _ in clean])
        mask = torch.from_numpy(masks).unsqueeze(1)
        corner = torch.from_numpy(np.stack([_window_around(m) for m in masks]))
        grid = _grid(clean, FACTOR)
        known_cells, share = grid.known_mean(clean, mask)
        coarse = torch.where(share == 1, known_cells, coarse)
        known = Knowledge(clean, torch.where(mask > 0, 0, torch.inf), torch.ones_like(mask))
        return Example(clean, known, grid.enlarge(coarse), 1 - mask, corner, FLOORS["hole"])

    def _noise(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean = self.noisy.crops(random, 4, 96)
        noise = normal_like(random, clean)
        gray = torch.from_numpy(random.random(len(clean)) < GRAY_SHARE)
        clean[gray] = Luma().forward(clean[gray]).expand(-1, 3, -1, -1)
        noise[gray] = noise[gray, :1].expand(-1, 3, -1, -1)
        sigma = as_map(random.uniform(0, SIGMA_MAX, len(clean)), clean)
        told = as_map(random.random(len(clean)) >= UNTOLD, clean)
        y = clean + sigma * noise
        grid = _grid(clean, int(random.choice(FACTORS)))
        # A draw has errors that its noise explains, and others.
        kept, own = random.uniform(0, 0.5, 2)
        coarse = grid.mean(clean + kept * sigma * noise)
        coarse = coarse + own * sigma[:, :, :1, :1] / grid.factor * normal_like(random, coarse)
        return Example(
            clean, Knowledge(y, sigma, told), grid.enlarge(coarse), torch.ones_like(sigma), None, FLOORS["noise"]
        )

    def _luma(self, random: np.random.Generator, recipe: Recipe) -> Example:
        clean, coarse = self._placed(random, 2, 160)
        grid, luma = _grid(clean, FACTOR), Luma().forward(clean)
        coarse = coarse + (grid.mean(luma) - Luma().forward(coarse))
        nothing = torch.full_like(luma, torch.inf)
        known = Knowledge(clean, nothing, torch.ones_like(luma), luma)
        return Example(clean, known, grid.enlarge(coarse), torch.ones_like(luma), None, FLOORS["luma"])

    def _placed(self, random: np.random.Generator, count: int, size: int) -> tuple[Tensor, Tensor]:
        """Crops on the grid of cells (count,3,size,size), and their coarse images, not enlarged."""
        crops = self.images.upright_on_a_grid(random, count, size, FACTOR)
        clean = torch.stack([crop.image for crop in crops])
        coarse = _grid(clean, FACTOR).mean(clean)
        coarse = coarse + normal_like(random, coarse) * random.uniform(0, SHAKEN)
        for k, crop in enumerate(crops):
            draws = self.bank.get((crop.set, crop.number))
            if draws is not None and random.random() < REDRAWN:
                draw = draws[random.integers(len(draws))].float()
                draw = draw.flip(-1) if crop.mirrored else draw
                top, left, side = crop.top // FACTOR, crop.left // FACTOR, size // FACTOR
                coarse[k] = draw[:, top : top + side, left : left + side]
        return clean, coarse

    def loss(self, network: Pair, batch: Example, progress: float) -> Tensor:
        restored = refine(network.fine, batch.known, batch.coarse).float()
        total = torch.log(_error(restored, batch) + batch.floor).mean()
        if batch.corner is None or progress < WATCHED_FROM:
            return total
        hole = _windows(batch.weight, batch.corner)
        with torch.no_grad():
            real = unit_features(_windows(batch.clean, batch.corner))
        filled = torch.where(batch.weight > 0, restored, batch.clean)
        fake = unit_features(_windows(filled, batch.corner))
        # The critic learns from fills that do not move, the network from a critic that does not move.
        critic = hinge(network.critic(real), network.critic([f.detach() for f in fake]), hole)
        still = {name: weight.detach() for name, weight in network.critic.named_parameters()}
        approval = mean_at(functional_call(network.critic, still, (fake,)), hole)
        return total + self.perceptual * feature_distance(fake, real) - self.adversarial * approval + critic

    @torch.no_grad()
    def validate(self, network: Pair) -> dict[str, float]:
        """PSNR in dB of held-out images given their true coarse image: σ 25, centre hole, from luma; and their mean.

        And the distance of features in the window of the hole.
        """
        clean = torch.stack([x for images in self.images.validation() for x in images[:VALIDATED]])
        grid = _grid(clean, FACTOR)
        coarse = grid.enlarge(grid.mean(clean))
        one = torch.ones_like(clean[:, :1])
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        mask, side = one.clone(), clean.shape[-1]
        quarter = 3 * side // 8
        mask[..., quarter : side - quarter, quarter : side - quarter] = 0
        kinds = {
            "noise": Knowledge(clean + 25 / 255 * noise, 25 / 255 * one, one),
            "hole": Knowledge(clean, torch.where(mask > 0, 0, torch.inf), one),
            "luma": Knowledge(clean, torch.full_like(one, torch.inf), one, Luma().forward(clean)),
        }
        scores = {}
        for kind, known in kinds.items():
            made = torch.cat([refine(network.fine, _part(known, k), coarse[k : k + 1]) for k in range(len(clean))])
            made = torch.where(known.sigma > 0, made, clean).clamp(0, 1)
            scores[kind] = float(-10 * (made - clean).square().mean(dim=(1, 2, 3)).log10().mean())
            if kind == "hole":
                corner = torch.full((len(clean), 2), (side - WINDOW) // 2)
                found, wanted = (unit_features(_windows(x, corner)) for x in (made, clean))
                distance = float(feature_distance(found, wanted))
        return {"PSNR": sum(scores.values()) / len(scores)} | scores | {"features": distance}


def drawn_again(prior: ScenePrior, images: TrainingImages, seed: int = 0) -> dict[tuple[int, int], Tensor]:
    """Return for every image to fit a draw from p(c | c + σ n) of its coarse image c, (1,3,h,w) in [0,1].

    σ is drawn log-uniformly from `AGAIN`: such draws keep the scene and have the errors of the prior and its sampler.
    """
    random = np.random.default_rng(seed)
    sampler = get_sampler("bridge", AGAIN_STEPS)
    device = next(prior.network.parameters()).device
    bank = {}
    for set_, photographs in enumerate(images.fit):
        for number, photograph in enumerate(photographs):
            clean = photograph[None].float() / 255
            coarse = 2 * _grid(clean, FACTOR).mean(clean) - 1
            sigma = torch.tensor([np.exp(random.uniform(*np.log(AGAIN)))], dtype=torch.float32)
            noisy = Noisy((coarse + sigma * normal_like(random, coarse)).to(device), sigma.to(device))
            with torch.inference_mode():
                drawn = sampler.draws(prior.denoiser(), noisy, [int(random.integers(2**62))], 1)
            bank[set_, number] = ((drawn[0] + 1) / 2).half().cpu()
    return bank


def _grid(image: Tensor, factor: int) -> Grid:
    return Grid(image.shape[2], image.shape[3], factor)


def _part(known: Knowledge, k: int) -> Knowledge:
    one = slice(k, k + 1)
    return Knowledge(known.y[one], known.sigma[one], known.told[one], None if known.luma is None else known.luma[one])


def _error(restored: Tensor, batch: Example) -> Tensor:
    squared = (restored - batch.clean).square().mean(dim=1, keepdim=True) * batch.weight
    return squared.sum(dim=(1, 2, 3)) / batch.weight.sum(dim=(1, 2, 3)).clamp_min(1)


def _windows(image: Tensor, corner: Tensor) -> Tensor:
    """The windows (N,C,WINDOW,WINDOW) of the images at the corners (N,2)."""
    places = zip(image, corner.tolist(), strict=True)
    return torch.stack([x[:, t : t + WINDOW, c : c + WINDOW] for x, (t, c) in places])


def _window_around(mask: np.ndarray) -> np.ndarray:
    """The corner (2,) of the window around the centre of a hole, moved into the image."""
    middle = np.argwhere(mask == 0).mean(axis=0).astype(int)
    corner: np.ndarray = np.clip(middle - WINDOW // 2, 0, len(mask) - WINDOW)
    return corner
