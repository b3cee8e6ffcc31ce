"""Colour from luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.cielab import UNIT, ab_distance, chroma_plane
from bigprior.networks import GatedUNet
from bigprior.training import Problem, Recipe
from datasets.observation import Luma
from datasets.training_images import TrainingImages
from methods.supervised._chroma import colorize, untrained

EXPOSURE = (0.75, 1.25)
"""Range of the factor by which a crop is made darker or brighter: 250 images a set are few."""
THRESHOLDS = 150


@dataclass(frozen=True)
class Colorization(Problem[GatedUNet, Tensor]):
    """The mean over pixels of √(‖Δab‖² + 1)/10, the distance in the CIE ab plane after clipping to the RGB cube.

    AuC is 100 (1 − E min(⌈‖Δab‖⌉, 150)/150), so this is AuC but for rounding. Its minimiser is the geometric median
    of the plausible colours of a pixel, which is less gray than their mean and grayer than any of them.
    """

    images: TrainingImages
    selection: ClassVar[str] = "AuC"

    def network(self) -> GatedUNet:
        return untrained()

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Tensor:
        exposure = torch.from_numpy(random.uniform(*EXPOSURE, (recipe.batch, 1, 1, 1)).astype(np.float32))
        return (self.images.upright(random, recipe.batch, recipe.size) * exposure).clamp_(0, 1)

    def loss(self, network: GatedUNet, batch: Tensor, progress: float) -> Tensor:
        restored = colorize(network, Luma().forward(batch))
        with torch.autocast(batch.device.type, enabled=False):
            return ab_distance(restored, batch).mean() / UNIT

    @torch.no_grad()
    def validate(self, network: GatedUNet) -> dict[str, float]:
        """AuC in %, PSNR in dB (the median over images) and colourfulness, that of the truth beside it."""
        clean = torch.stack([image for images in self.images.validation() for image in images])
        restored = torch.cat([colorize(network, Luma().forward(x)) for x in clean.split(8)])
        restored = (restored.clamp(0, 1) * 255).round() / 255
        distance = (chroma_plane(restored) - chroma_plane(clean)).square().sum(dim=1).sqrt()
        psnr = -10 * (restored - clean).square().mean(dim=(1, 2, 3)).clamp_min(1e-8).log10()
        return {
            "AuC": 100 * (1 - float(distance.ceil().clamp_max(THRESHOLDS).mean()) / THRESHOLDS),
            "PSNR": float(psnr.median()),
            "colourfulness": float(colourfulness(restored).mean()),
            "colourfulness of the truth": float(colourfulness(clean).mean()),
        }


def colourfulness(image: Tensor) -> Tensor:
    """Return the colourfulness M⁽³⁾ (N,) of sRGB images (N,3,H,W) in [0,1], on the scale of bytes.

    D. Hasler and S. Süsstrunk, "Measuring Colourfulness in Natural Images", Human Vision and Electronic Imaging 2003.
    """
    r, g, b = (255 * image).flatten(2).unbind(dim=1)
    opponents = torch.stack([r - g, (r + g) / 2 - b])
    return opponents.std(dim=2).norm(dim=0) + 0.3 * opponents.mean(dim=2).norm(dim=0)
