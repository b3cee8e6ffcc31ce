"""Batches of a training, drawn by the host or by the device that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from datasets.training_images import TrainingImages

SYMMETRIES = 8
"""Of the square: four turns, each mirrored or not."""


class Source(Protocol):
    """Where a batch comes from. Everything random follows from the generator that it is handed."""

    def crops(self, random: np.random.Generator, count: int, size: int) -> Tensor:
        """Return random square crops (count,3,size,size) float32 in [0,1]."""

    def normal(self, random: np.random.Generator, shape: Sequence[int]) -> Tensor:
        """Return independent normal numbers, float32."""


@dataclass(frozen=True)
class OnHost:
    """Crops and noise from the host, one at a time."""

    images: TrainingImages

    def crops(self, random: np.random.Generator, count: int, size: int) -> Tensor:
        """See `Source`."""
        return self.images.crops(random, count, size)

    def normal(self, random: np.random.Generator, shape: Sequence[int]) -> Tensor:
        """See `Source`."""
        return torch.from_numpy(random.standard_normal(tuple(shape), dtype=np.float32))


@dataclass(frozen=True)
class OnDevice:
    """Images on the device, and crops cut there at once; they are those of `OnHost`, bit for bit.

    The host draws where crops lie, a few numbers each. The noise is the device's own: of the same law, with other
    values than the host's, and the same again on a device of the same kind.
    """

    images: TrainingImages
    device: str

    @cached_property
    def pixels(self) -> Tensor:
        """All images of `images.fit`, one behind the other, uint8."""
        return torch.cat([image.flatten() for images in self.images.fit for image in images]).to(self.device)

    @cached_property
    def begins(self) -> list[np.ndarray]:
        """Per set, the place of every image in `pixels`."""
        ends = np.cumsum([image.numel() for images in self.images.fit for image in images])
        starts = np.concatenate([[0], ends[:-1]])
        return np.split(starts, np.cumsum([len(images) for images in self.images.fit])[:-1])

    def crops(self, random: np.random.Generator, count: int, size: int) -> Tensor:
        """See `Source`."""
        places = [self._place(random, size) for _ in range(count)]
        begin, width, plane, symmetry = torch.tensor(places, device=self.device).unbind(1)
        rows, columns = _orders(size, self.device)
        within = rows[symmetry] * width[:, None, None] + columns[symmetry]
        channels = torch.arange(3, device=self.device)
        index = (begin[:, None] + channels * plane[:, None])[..., None, None] + within[:, None]
        return self.pixels[index].float() / 255

    def normal(self, random: np.random.Generator, shape: Sequence[int]) -> Tensor:
        """See `Source`."""
        generator = torch.Generator(self.device).manual_seed(int(random.integers(2**62)))
        return torch.randn(tuple(shape), generator=generator, device=self.device)

    def _place(self, random: np.random.Generator, size: int) -> tuple[int, int, int, int]:
        """Return the place of a crop's corner, the image's width and area, and the symmetry.

        It draws what `TrainingImages.crops` draws, in its order.
        """
        number = random.integers(len(self.images.fit))
        images = self.images.fit[number]
        one = int(random.integers(len(images)))
        random.choice((1,))  # the scale
        height, width = images[one].shape[-2:]
        top, left = (int(random.integers(side - size + 1)) for side in (height, width))
        turn = 2 * int(random.integers(4)) + int(random.random() < 0.5)
        return int(self.begins[number][one]) + top * width + left, width, height * width, turn


def _orders(size: int, device: str) -> tuple[Tensor, Tensor]:
    """Return row and column (8,S,S) in the image of every pixel of a turned crop."""
    square = torch.arange(size * size, device=device).view(size, size)
    turns = [torch.rot90(square, number // 2, (-2, -1)) for number in range(SYMMETRIES)]
    index = torch.stack([turn.flip(-1) if number % 2 else turn for number, turn in enumerate(turns)])
    return index // size, index % size
