"""Colour from luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.networks import GatedUNet
from bigprior.training import Problem, Recipe
from datasets.observation import Luma
from datasets.training_images import TrainingImages
from methods.supervised._chroma import colorize, untrained

EXPOSURE = (0.75, 1.25)
"""Range of the factor by which a crop is made darker or brighter: 250 images a set are few."""
SMOOTHING = 1.0
"""Added to squared distances in the ab plane, so that the root has a derivative at 0."""
UNIT = 10.0
THRESHOLDS = 150

XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)


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
            distance = (chroma_plane(restored) - chroma_plane(batch)).square().sum(dim=1)
            return (distance + SMOOTHING).sqrt().mean() / UNIT

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


def chroma_plane(image: Tensor) -> Tensor:
    """Return a* and b* (N,2,H,W) of sRGB images (N,3,H,W), clipped to the cube; differentiable inside it."""
    rgb = image.clamp(0, 1)
    # The power of a clamped argument: where its branch is not taken, its derivative must be finite too.
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0.04) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    matrix = torch.tensor(XYZ_FROM_RGB, dtype=image.dtype, device=image.device)
    white = torch.tensor(WHITE, dtype=image.dtype, device=image.device)
    xyz = torch.einsum("oc,nchw->nohw", matrix / white[:, None], linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(0.008) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(dim=1)
    return torch.stack([500 * (x - y), 200 * (y - z)], dim=1)


def colourfulness(image: Tensor) -> Tensor:
    """Return the colourfulness M⁽³⁾ (N,) of sRGB images (N,3,H,W) in [0,1], on the scale of bytes.

    D. Hasler and S. Süsstrunk, "Measuring Colourfulness in Natural Images", Human Vision and Electronic Imaging 2003.
    """
    r, g, b = (255 * image).flatten(2).unbind(dim=1)
    opponents = torch.stack([r - g, (r + g) / 2 - b])
    return opponents.std(dim=2).norm(dim=0) + 0.3 * opponents.mean(dim=2).norm(dim=0)
