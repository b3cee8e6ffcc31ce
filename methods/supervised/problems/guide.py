"""What VGG16 sees in the training images: a guide for networks that are shown gray ones."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.priors.perceptual import vgg16_layers
from datasets.training_images import Crop, TrainingImages

LAYERS = 4
"""Of VGG16: the last is relu4_3."""
FEATURES = 512
GRID = 16
"""Pixels between neighbouring features, which are means over 2×2 of VGG16's."""
EVERY = 10
"""Of so many images one is looked at for the mean of all features."""


class Seen:
    """Features of the images of training sets, relative to their mean, each computed when it is first wanted and kept.

    √relu4_3 of VGG16, averaged over 2×2 places; the root tames the few strong features. From whole images, so that a
    crop knows its surroundings. Some 360 MiB for 690 images of 256×256 and their mirror images.
    """

    def __init__(self, images: TrainingImages) -> None:
        self.images = images
        self.known: dict[tuple[int, int, bool], Tensor] = {}

    def of(self, crop: Crop, size: int) -> Tensor:
        """Return the features (FEATURES,size/GRID,size/GRID) of a crop whose corner is on the grid."""
        place = (crop.set, crop.number, crop.mirrored)
        top, left = crop.top // GRID, crop.left // GRID
        return (self._features(*place) - self._mean)[:, top : top + size // GRID, left : left + size // GRID]

    def _features(self, set_: int, number: int, mirrored: bool) -> Tensor:
        place = (set_, number, mirrored)
        if place not in self.known:
            image = self.images.fit[set_][number][None].float() / 255
            with torch.no_grad():
                layers = vgg16_layers(torch.device("cpu"), torch.bfloat16, LAYERS)
                last = layers(image.flip(-1) if mirrored else image)[-1]
            self.known[place] = avg_pool2d(last.float().sqrt(), 2)[0].half()
        return self.known[place].float()

    @cached_property
    def _mean(self) -> Tensor:
        means = [
            self._features(set_, number, False).mean(dim=(1, 2))
            for set_, images in enumerate(self.images.fit)
            for number in range(0, len(images), EVERY)
        ]
        return torch.stack(means).mean(dim=0).view(-1, 1, 1)
