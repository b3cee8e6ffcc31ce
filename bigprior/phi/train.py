"""Training of our φ-network: pairs of what was observed and what a prior made of it, from training splits alone."""

from __future__ import annotations

import importlib
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from bigprior.fusion import fuse
from bigprior.phi.loss import LOSSES, better_error, image_mse
from bigprior.phi.network import PhiConfig, PhiNetwork
from bigprior.priors.base import GenerativePrior
from bigprior.training import Problem, Recipe
from datasets.dataset import get_dataset
from datasets.errors import SuiteError, unknown
from datasets.files import expanded, write_atomically
from datasets.images import read_image
from datasets.observation import Observation
from datasets.task import Key, Task
from datasets.training_images import HELD_OUT

SPLIT = "train"
"""The only split that is ever read here."""
SIGMA_ERROR = 0.03
"""Relative standard deviation of the σ that a network is told in training: in use it gets an estimate."""
UPRIGHT = ("colorize",)
"""Tasks whose crops are mirrored left to right only: skies are above. Those of others are turned, too."""


@dataclass(frozen=True)
class Source:
    """Where an observation stands in its training set."""

    dataset: str
    image: str
    number: int
    draw: int


ImageOf = Callable[[Source, Observation], Tensor]
"""Gives f or g (1,C,H,W) for an observation (without its truth)."""


class FromSource(ABC):
    """A prior that wants to know which training image is observed: its parts have seen different ones."""

    @abstractmethod
    def __call__(self, source: Source, observation: Observation) -> Tensor:
        """Return g (1,C,H,W) for the observation of an image of a training split."""


def lifted(source: Source, observation: Observation) -> Tensor:
    """f(y) as the task's operator lifts it: y itself, y with holes of 0, or neutral gray."""
    return observation.fidelity


@dataclass(frozen=True)
class Files:
    """Images that someone has made: a folder of NUMBER.png or NAME.png, or a pattern with {number} or {name} in it.

    NUMBER counts the images of the set sorted by file name, from 0. Environment variables ($NAME) are filled in. Any
    format of `read_image` will do.
    """

    pattern: str

    def __call__(self, source: Source, observation: Observation) -> Tensor:
        """Return the image (1,C,H,W) of a source.

        Raises:
            SuiteError: there is none, or its size is not the observation's.
        """
        path = self._path(source)
        image = read_image(path)[None]
        if image.shape != observation.fidelity.shape:
            expected = "x".join(map(str, observation.fidelity.shape[1:]))
            raise SuiteError(f"image '{path}' is {'x'.join(map(str, image.shape[1:]))}, the observation {expected}.")
        return image

    def _path(self, source: Source) -> Path:
        pattern = os.path.expandvars(self.pattern)
        if "{" in pattern:
            return expanded(pattern.format(number=source.number, name=source.image))
        folder = expanded(pattern)
        candidates = [folder / f"{stem}{end}" for stem in (source.number, source.image) for end in (".png", ".npy")]
        return next((path for path in candidates if path.is_file()), candidates[0])


def named_prior(name: str) -> ImageOf:
    """Return the prior MODULE:NAME: a `GenerativePrior`, a `FromSource`, a function (Observation) → g, or a class.

    Raises:
        SuiteError: there is no such thing.
    """
    module, _, attribute = name.partition(":")
    try:
        prior = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SuiteError(f"no prior '{name}' ({error}): give MODULE:NAME.") from error
    prior = prior() if isinstance(prior, type) else prior
    if isinstance(prior, GenerativePrior):
        return lambda source, observation: prior.invert(observation).image
    if isinstance(prior, FromSource):
        return prior
    return lambda source, observation: prior(observation)


@dataclass(frozen=True)
class Cached:
    """Keep in a folder what a prior made (float16 arrays), so that it is made once.

    Args:
        make: the prior.
        folder: where; one folder serves one prior, task and seed.
    """

    make: ImageOf
    folder: Path

    def __call__(self, source: Source, observation: Observation) -> Tensor:
        """Return the prior's image (1,C,H,W), from the folder if it is there."""
        path = self.folder / source.dataset / f"{source.image}-{source.draw}.npy"
        if path.is_file():
            return torch.from_numpy(np.load(path, allow_pickle=False).astype(np.float32))
        image = self.make(source, observation)
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, image.detach().cpu().numpy().astype(np.float16))
        write_atomically(path, buffer.getvalue())
        return image


@dataclass(frozen=True)
class Pair:
    """A training example, batch axis first: x, f, g (N,C,H,W), mask (N,1,H,W), σ (N,).

    `better` (N,) is min(MSE(f), MSE(g)) of the whole image, also of a crop.
    """

    clean: Tensor
    fidelity: Tensor
    prior: Tensor
    mask: Tensor
    sigma: Tensor
    better: Tensor

    @property
    def image(self) -> Tensor:
        """x, f, g and the mask as one image, to cut and to turn them together."""
        return torch.cat([self.clean, self.fidelity, self.prior, self.mask], dim=1)

    def reduced(self, factor: int) -> Pair:
        """The pair on means over factor×factor pixels; columns and rows that do not fill a mean are left out."""
        if factor == 1:
            return self
        x, f, g, mask = (avg_pool2d(t, factor) for t in (self.clean, self.fidelity, self.prior, self.mask))
        return Pair(x, f, g, mask, self.sigma, better_error(x, f, g))

    @staticmethod
    def of(image: Tensor, sigma: Tensor, better: Tensor) -> Pair:
        """Take `image` apart again."""
        c = (image.shape[1] - 1) // 3
        clean, fidelity, prior, mask = image.split([c, c, c, 1], dim=1)
        return Pair(clean, fidelity, prior, mask, sigma, better)


def read_pairs(
    task: Task,
    sets: Sequence[str],
    prior: ImageOf,
    fidelity: ImageOf = lifted,
    draws: int = 1,
    seed: int = 0,
    held_out: int = HELD_OUT,
    unseen: bool = False,
) -> tuple[list[Pair], list[Pair]]:
    """Degrade the training images of some sets and return (to fit, to validate), single images.

    The last `held_out` images of every training split validate. No other split is read. The degradation of an image
    is that of the suite under the given seed, `draws` seeds counted from it.

    Args:
        unseen: leave out the images that our own networks were trained on (all but the last `HELD_OUT`): a network that
            serves as the prior is better on those than on any other, and φ would trust it too much. The last `held_out`
            of the rest validate.

    Raises:
        SuiteError: a set has no training split, or an image of the prior is not there.
    """
    fit: list[Pair] = []
    validation: list[Pair] = []
    for name in sets:
        entries = get_dataset(name).entries(SPLIT)
        for number, entry in enumerate(entries):
            if unseen and number < len(entries) - HELD_OUT:
                continue
            clean = entry.load()
            validates = number >= len(entries) - held_out
            for draw in range(1 if validates else draws):
                observation = task.degrade(clean, Key(seed + draw, name, entry.name))
                assert observation.truth is not None
                sigma = observation.truth.sigma
                if sigma is None:
                    raise SuiteError(f"φ cannot be learned on {task.name}: its noise has no one level σ.")
                seen = observation.without_truth()
                source = Source(name, entry.name, number, draw)
                x, f, g = observation.truth.clean, fidelity(source, seen), prior(source, seen)
                pair = Pair(x, f, g, seen.mask, sigma, better_error(x, f, g))
                (validation if validates else fit).append(pair)
    return fit, validation


class PhiProblem(Problem[PhiNetwork, Pair]):
    """Learn φ from pairs.

    A network that decides on means of pixels (`config.scale`) is trained and validated on images reduced by that
    factor, by area; sizes of crops are in their pixels. `at_work` gives the network for images of full size.

    Args:
        config: of the network.
        pairs: to fit and to validate, from `read_pairs`.
        loss: name of the loss, "relative" (ours) or "paper".
    """

    selection = "psnr"

    def __init__(self, config: PhiConfig, pairs: tuple[list[Pair], list[Pair]], loss: str = "relative") -> None:
        if loss not in LOSSES:
            raise unknown("loss", loss, LOSSES)
        self.config, self.function = config, LOSSES[loss]
        # Half precision halves the memory of thousands of pairs; its step at 1 is a quarter of an 8-bit level.
        fit = (pair.reduced(config.scale) for pair in pairs[0])
        self.fit = [(pair.image.half(), pair.sigma, pair.better) for pair in fit]
        self.held_out = [pair.reduced(config.scale) for pair in pairs[1]]

    def network(self) -> PhiNetwork:
        return PhiNetwork(replace(self.config, scale=1))

    def at_work(self, trained: PhiNetwork) -> PhiNetwork:
        """Return the trained network with the configuration it is kept with."""
        network = PhiNetwork(self.config)
        network.load_state_dict(trained.state_dict())
        return network.eval().requires_grad_(False)

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Pair:
        crops, sigmas, errors = [], [], []
        for _ in range(recipe.batch):
            image, sigma, better = self.fit[random.integers(len(self.fit))]
            top, left = (int(random.integers(max(side - recipe.size, 0) + 1)) for side in image.shape[-2:])
            crop = image[..., top : top + recipe.size, left : left + recipe.size].float()
            if self.config.task not in UPRIGHT:
                crop = torch.rot90(crop, int(random.integers(4)), (-2, -1))
            crops.append(crop.flip(-1) if random.random() < 0.5 else crop)
            sigmas.append(sigma * float(1 + SIGMA_ERROR * random.standard_normal()))
            errors.append(better)
        return Pair.of(torch.cat(crops), torch.cat(sigmas), torch.cat(errors))

    def loss(self, network: PhiNetwork, batch: Pair, progress: float) -> Tensor:
        phi = network(batch.fidelity, batch.prior, batch.mask, batch.sigma)
        fused = fuse(batch.fidelity, batch.prior, phi)
        return self.function(fused, batch.clean, phi, batch.better)

    def validate(self, network: PhiNetwork) -> dict[str, float]:
        return evaluate(network, self.held_out)


@torch.no_grad()
def evaluate(network: nn.Module, pairs: Sequence[Pair]) -> dict[str, float]:
    """Return means over pairs: PSNR of x̂, f and g (clipped to [0,1]), x̂'s gain over the better of them, and φ."""
    rows = []
    for pair in pairs:
        phi = network(pair.fidelity, pair.prior, pair.mask, pair.sigma)
        fused = fuse(pair.fidelity, pair.prior, phi)
        x, f, g = (_psnr(image, pair.clean) for image in (fused, pair.fidelity, pair.prior))
        rows.append([x, f, g, x - max(f, g), float(phi.mean())])
    names = ("psnr", "psnr_fidelity", "psnr_prior", "gain", "phi_mean")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def _psnr(image: Tensor, clean: Tensor) -> float:
    return float(-10 * image_mse(image.clamp(0, 1), clean).clamp(min=1e-10).log10().mean())
