"""Inpainting of holes of any shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from bigprior.holes import random_hole
from bigprior.networks import GatedUNet
from bigprior.priors.perceptual import vgg16_layers
from bigprior.training import Problem, Recipe
from datasets.operators import Masking
from datasets.task import Key
from datasets.tasks.inpaint_center import InpaintCenter
from datasets.training_images import TrainingImages
from methods.supervised._gated import inpaint, untrained

WINDOW = 96
"""Side of the window, centred on a hole, in which the perceptual distance is taken."""
PIXELS_ALONE = 0.5
"""Share of the steps before the perceptual distance joins in: features of a bad fill teach nothing."""
FLOOR = 1e-4
LAYERS = 4
"""Of VGG16: relu1_2 to relu4_3."""
WATCHED = 0.25
"""Share of a batch whose perceptual distance is taken: VGG16 costs several times what the network does."""
VALIDATED = 8
"""Images per set that validate."""


class Holed(NamedTuple):
    """Clean crops (N,3,S,S), masks (N,1,S,S), and the corners (N,2) of the perceptual windows."""

    clean: Tensor
    mask: Tensor
    corner: NDArray[np.int64]


@dataclass(frozen=True)
class Inpainting(Problem[GatedUNet, Holed]):
    """The mean over crops of log(MSE in the hole) + w · the perceptual distance.

    The logarithm makes the first term PSNR. Alone it asks for the mean of all plausible fills, which is smooth.

    Args:
        perceptual: w.
    """

    images: TrainingImages
    perceptual: float = 8.0
    selection: ClassVar[str] = "PSNR"

    def network(self) -> GatedUNet:
        return untrained()

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Holed:
        clean = self.images.upright(random, recipe.batch, recipe.size)
        masks = [random_hole(random, recipe.size) for _ in range(recipe.batch)]
        corners = [_window_around(mask) for mask in masks]
        return Holed(clean, torch.from_numpy(np.stack(masks)).unsqueeze(1), np.stack(corners))

    def loss(self, network: GatedUNet, batch: Holed, progress: float) -> Tensor:
        restored = inpaint(network, batch.clean, batch.mask).float()
        total = torch.log(hole_error(restored, batch.clean, batch.mask) + FLOOR).mean()
        if progress >= PIXELS_ALONE and self.perceptual > 0:
            some = slice(max(1, round(WATCHED * len(batch.clean))))
            found, wanted = (windows(image[some], batch.corner[some]) for image in (restored, batch.clean))
            total = total + self.perceptual * perceptual_distance(found, wanted).mean()
        return total

    @torch.no_grad()
    def validate(self, network: GatedUNet) -> dict[str, float]:
        """PSNR in dB of whole images with a centre hole, that of the hole alone, and the perceptual distance."""
        clean = torch.stack([image for images in self.images.validation() for image in images[:VALIDATED]])
        observed = InpaintCenter().degrade(clean[0], Key(0, "", "")).operator
        assert isinstance(observed, Masking)
        mask = observed.mask.expand(len(clean), -1, -1, -1)
        restored = torch.cat([inpaint(network, x * m, m) for x, m in zip(clean.split(8), mask.split(8), strict=True)])
        restored = restored.clamp(0, 1)
        corner = np.full((len(clean), 2), (clean.shape[-1] - WINDOW) // 2)
        distance = perceptual_distance(windows(restored, corner), windows(clean, corner)) if self.perceptual else None
        whole = -10 * (restored - clean).square().mean(dim=(1, 2, 3)).log10()
        hole = -10 * hole_error(restored, clean, mask).log10()
        scores = {"PSNR": float(whole.mean()), "hole PSNR": float(hole.mean())}
        return scores if distance is None else scores | {"perceptual": float(distance.mean())}


def hole_error(restored: Tensor, clean: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared error (N,) over the holes."""
    hole = 1 - mask
    return ((restored - clean).square() * hole).sum(dim=(1, 2, 3)) / (clean.shape[1] * hole.sum(dim=(1, 2, 3)))


def windows(image: Tensor, corner: NDArray[np.int64]) -> Tensor:
    """Return the windows (N,3,WINDOW,WINDOW) of the images at the corners (N,2)."""
    return torch.stack([x[:, t : t + WINDOW, c : c + WINDOW] for x, (t, c) in zip(image, corner, strict=True)])


def perceptual_distance(restored: Tensor, clean: Tensor) -> Tensor:
    """Return Σ over layers of VGG16 of the mean over places of ‖f/‖f‖ − f*/‖f*‖‖², (N,).

    R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, unweighted.
    LPIPS, as this suite scores it, is of AlexNet: another network.
    """
    layers = vgg16_layers(restored.device, restored.dtype, LAYERS)
    with torch.no_grad():
        wanted = layers(clean)
    total = restored.new_zeros(len(restored))
    for found, target in zip(layers(restored), wanted, strict=True):
        difference = normalize(found.float(), dim=1) - normalize(target.float(), dim=1)
        total = total + difference.square().sum(dim=1).mean(dim=(1, 2))
    return total


def _window_around(mask: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the corner (2,) of the window around the centre of a hole, moved into the image."""
    middle = np.argwhere(mask == 0).mean(axis=0).astype(int)
    return np.clip(middle - WINDOW // 2, 0, len(mask) - WINDOW)
