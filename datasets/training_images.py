"""Clean images to train on: training splits only, with a validation part held out of each, and seeded crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from datasets.dataset import get_dataset
from datasets.errors import SuiteError

TRAINING_SETS = ("cbsd432", "lsun-bedroom", "lsun-church", "lsun-conference")
"""Sets with a `train` split. No image of it is in any test split of the suite."""
HELD_OUT = 20
"""The last images of every training split validate, and are never trained on."""


class Crop(NamedTuple):
    """A crop (3,S,S) in [0,1], and where it is from.

    Attributes:
        set, number: indices of the set and of the image in `TrainingImages.fit`.
        mirrored: the image was mirrored left to right before it was cut.
        top, left: of the crop in that image.
    """

    image: Tensor
    set: int
    number: int
    mirrored: bool
    top: int
    left: int


@dataclass(frozen=True)
class TrainingImages:
    """The images of some training splits: all but the last `HELD_OUT` of each to fit, those to validate.

    Attributes:
        sets: names of datasets with a split `train`.

    Raises:
        SuiteError: a set is unknown, has no training split, or has no more than `HELD_OUT` images.
    """

    sets: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.sets:
            dataset = get_dataset(name)
            dataset.check_split("train")
            if len(dataset.entries("train")) <= HELD_OUT:
                raise SuiteError(f"dataset '{name}' has too few training images to hold {HELD_OUT} out for validation.")

    def _load(self, held_out: bool) -> list[list[Tensor]]:
        part = slice(-HELD_OUT, None) if held_out else slice(None, -HELD_OUT)
        return [[as_bytes(e.load()) for e in get_dataset(name).entries("train")[part]] for name in self.sets]

    @cached_property
    def fit(self) -> list[list[Tensor]]:
        """Per set, the images (3,H,W) uint8 to train on."""
        return self._load(held_out=False)

    def validation(self) -> list[list[Tensor]]:
        """Per set, the images (3,H,W) float32 in [0,1] that are held out."""
        return [[image.float() / 255 for image in images] for images in self._load(held_out=True)]

    def crops(self, random: np.random.Generator, count: int, size: int) -> Tensor:
        """Return random square crops (count,3,size,size) float32 in [0,1]: a set, then an image, then a place of it.

        Every crop is turned by one of the 8 symmetries of the square, unless it keeps its top: see `upright`.
        """
        return torch.stack([turned(self._crop(random, size, (1,)), random) for _ in range(count)]).float() / 255

    def upright(self, random: np.random.Generator, count: int, size: int, scales: Sequence[int] = (1,)) -> Tensor:
        """Return random crops as `crops` does, but only mirrored left to right: skies stay above.

        Args:
            scales: whole factors by which an image may be reduced (by area) before it is cut, equally likely.
        """
        crops = [self._crop(random, size, scales) for _ in range(count)]
        return torch.stack([c.flip(-1) if random.random() < 0.5 else c for c in crops]).float() / 255

    def upright_on_a_grid(self, random: np.random.Generator, count: int, size: int, grid: int) -> list[Crop]:
        """Return random crops, mirrored left to right or not, with corners at multiples of `grid`, and their places."""
        return [self._placed(random, size, grid) for _ in range(count)]

    def _placed(self, random: np.random.Generator, size: int, grid: int) -> Crop:
        set_ = int(random.integers(len(self.fit)))
        number = int(random.integers(len(self.fit[set_])))
        image = self.fit[set_][number]
        top, left = (grid * int(random.integers((side - size) // grid + 1)) for side in image.shape[-2:])
        mirrored = bool(random.random() < 0.5)
        image = image.flip(-1) if mirrored else image
        return Crop(image[:, top : top + size, left : left + size].float() / 255, set_, number, mirrored, top, left)

    def _crop(self, random: np.random.Generator, size: int, scales: Sequence[int]) -> Tensor:
        images = self.fit[random.integers(len(self.fit))]
        image = images[random.integers(len(images))]
        scale = int(random.choice(scales))
        if scale > 1 and min(image.shape[-2:]) >= size * scale:
            top, left = (random.integers(side - size * scale + 1) for side in image.shape[-2:])
            region = image[:, top : top + size * scale, left : left + size * scale].float()
            return torch.nn.functional.avg_pool2d(region, scale).round_().to(torch.uint8)
        top, left = (random.integers(side - size + 1) for side in image.shape[-2:])
        return image[:, top : top + size, left : left + size]


def as_bytes(image: Tensor) -> Tensor:
    """Return an image (C,H,W) in [0,1] as (3,H,W) uint8."""
    return (image.expand(3, -1, -1) * 255).round_().to(torch.uint8)


def turned(crop: Tensor, random: np.random.Generator) -> Tensor:
    """Return a square crop under a random one of the 8 symmetries of the square."""
    crop = torch.rot90(crop, int(random.integers(4)), (-2, -1))
    return crop.flip(-1) if random.random() < 0.5 else crop
