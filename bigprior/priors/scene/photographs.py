"""The photographs that the scene prior is trained on: small, with a class, and cut at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bigprior.priors.scene.prior import class_number
from datasets.dataset import Entry, get_dataset
from datasets.errors import SuiteError, unknown
from datasets.operators import LUMA
from datasets.training_images import HELD_OUT, as_bytes

SHORT, LONG = 128, 256
"""Sides of a photograph in memory: the shorter, and the most of the longer."""
SHARES: dict[str, tuple[str, float]] = {
    "lsun-bedroom": ("bedroom", 1 / 6),
    "lsun-church": ("church", 1 / 6),
    "lsun-conference": ("conference", 1 / 6),
    "houses": ("houses", 1 / 5),
    "imagenet-samples": ("photos", 0.3 * 0.69),
    "cbsd432": ("photos", 0.3 * 0.31),
}
"""Set → class, and share of the crops; with fewer sets the shares grow in proportion."""
NO_SCENE = "bathroom"
"""End of the names of photographs of houses that are left out: close views of fittings."""
WHOLE = 0.15
"""Share of the crops that are as large as they can be; the side of others is at least `SMALLEST` of that."""
SMALLEST = 0.75
SHAKEN = 0.3
"""Share of the crops whose brightness, contrast and saturation are changed."""
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.2, 0.4
"""Largest change: added on the [-1,1] scale, and of the logarithms of the factors."""


@dataclass(frozen=True)
class Photographs:
    """The photographs of a set, (3,h,w) uint8 each.

    Attributes:
        label: of their class.
        share: of the crops of a batch, relative to other sets.
        fit: those to train on.
        held_out: those that validate.
    """

    name: str
    label: int
    share: float
    fit: Sequence[Tensor]
    held_out: Sequence[Tensor]

    def validation(self, count: int, side: int) -> Tensor:
        """Return the centres of the first `count` that are held out, (n,3,side,side) on the [-1,1] scale."""
        return torch.stack([centre(image, side) for image in self.held_out[:count]])


def read_photographs(sets: Sequence[str]) -> list[Photographs]:
    """Return the photographs of training splits, reduced; the last `HELD_OUT` of each are held out.

    Raises:
        SuiteError: a set has no class here, or has no more than `HELD_OUT` images.
    """
    found = []
    for name in sets:
        if name not in SHARES:
            raise unknown("training set of the scene prior", name, SHARES)
        entries = [e for e in get_dataset(name).entries("train") if not e.name.endswith(NO_SCENE)]
        if len(entries) <= HELD_OUT:
            raise SuiteError(f"dataset '{name}' has too few training images to hold {HELD_OUT} out for validation.")
        images = [_small(entry) for entry in entries]
        kind, share = SHARES[name]
        found.append(Photographs(name, class_number(kind), share, images[:-HELD_OUT], images[-HELD_OUT:]))
    return found


def _small(entry: Entry) -> Tensor:
    """A photograph with `SHORT` pixels on its short side, its ends cut off beyond `LONG`."""
    image = entry.load().expand(3, -1, -1)
    scale = SHORT / min(image.shape[-2:])
    height, width = (max(SHORT, round(side * scale)) for side in image.shape[-2:])
    small = resized(image, height, width)
    top, left = ((side - min(side, LONG)) // 2 for side in (height, width))
    return as_bytes(small[:, top : top + LONG, left : left + LONG].clamp(0, 1))


def resized(image: Tensor, height: int, width: int) -> Tensor:
    """Return an image (C,H,W) in another size, by a cubic that averages where the size falls."""
    return interpolate(image[None].float(), size=(height, width), mode="bicubic", antialias=True)[0]


def centre(image: Tensor, side: int) -> Tensor:
    """Return the largest central square of an image (3,h,w) uint8, (3,side,side) on the [-1,1] scale."""
    square = min(image.shape[-2:])
    top, left = ((length - square) // 2 for length in image.shape[-2:])
    return scaled(image[:, top : top + square, left : left + square], side)


def scaled(square: Tensor, side: int) -> Tensor:
    """Return a square (3,s,s) uint8 in another size, on the [-1,1] scale."""
    return (resized(square, side, side) / 127.5 - 1).clamp(-1, 1)


def random_crop(image: Tensor, side: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a crop (3,side,side) on the [-1,1] scale, and how it was changed: size, brightness, contrast, saturation.

    Each change is in [-1,1], 0 if there was none; the size is 1 for the smallest crop.
    """
    whole = min(image.shape[-2:])
    fraction = 1.0 if random.random() < WHOLE else random.uniform(SMALLEST, 1)
    square = round(fraction * whole)
    top, left = (int(random.integers(length - square + 1)) for length in image.shape[-2:])
    crop = scaled(image[:, top : top + square, left : left + square], side)
    crop = crop.flip(-1) if random.random() < 0.5 else crop
    shaken = random.random() < SHAKEN
    brightness, contrast, saturation = random.uniform(-1, 1, 3) * shaken
    luma = (crop * crop.new_tensor(LUMA).view(3, 1, 1)).sum(dim=0, keepdim=True)
    crop = luma + (crop - luma) * float(np.exp(SATURATION * saturation))
    crop = crop * float(np.exp(CONTRAST * contrast)) + BRIGHTNESS * float(brightness)
    changes = torch.tensor([(1 - fraction) / (1 - SMALLEST), brightness, contrast, saturation], dtype=torch.float32)
    return crop.clamp(-1, 1), changes
