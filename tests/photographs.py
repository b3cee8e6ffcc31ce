"""Photographs to train on in tests."""

from __future__ import annotations

from functools import cached_property

import torch
from skimage import data
from torch import Tensor

from datasets.training_images import TrainingImages


class Photographs(TrainingImages):
    """Two embedded photographs in place of a training set; the same two validate: what is tested is that it learns."""

    @cached_property
    def fit(self) -> list[list[Tensor]]:
        return [
            [torch.from_numpy(image[:256, :256].copy()).permute(2, 0, 1) for image in (data.coffee(), data.astronaut())]
        ]

    def validation(self) -> list[list[Tensor]]:
        return [[image.float() / 255 for image in self.fit[0]]]


PHOTOGRAPHS = Photographs(())
