"""What JPEG compression and enlarging leave behind, of any quality and scale: one network for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bigprior.denoiser import denoise, untrained
from bigprior.networks import BiasFreeUNet
from bigprior.training import Problem, Recipe
from datasets.compression import Jpeg
from datasets.operators import Luma
from datasets.resize import BicubicReduction, resize
from datasets.training_images import TrainingImages
from methods.supervised.problems.denoise import FLOOR, GRAY_SHARE, VALIDATED, centre

QUALITIES = (5, 60)
"""The lowest and the highest JPEG quality, each in between equally likely."""
SCALES = (2, 3, 4)
VALIDATED_QUALITIES = (10, 20, 40)
SIDE = 96
"""Of the central crops that validate: a multiple of every scale and of a block of chroma."""


class Damaged(NamedTuple):
    """Clean crops (N,3,S,S), and what is left of them."""

    clean: Tensor
    damaged: Tensor


@dataclass(frozen=True)
class Artefacts(Problem[BiasFreeUNet, Damaged]):
    """y = JPEG(x), or y = U A x with A and U MATLAB's bicubic reduction and enlargement, half of the crops each.

    Quality and scale are drawn for every crop and never told. The loss is the mean of log(MSE) over crops, so that no
    quality or scale outweighs another.
    """

    images: TrainingImages
    selection: ClassVar[str] = "mean PSNR"

    def network(self) -> BiasFreeUNet:
        return untrained()

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Damaged:
        clean = self.images.crops(random, recipe.batch, recipe.size)
        damaged = torch.empty_like(clean)
        for n in range(len(clean)):
            gray = random.random() < GRAY_SHARE
            x = Luma().forward(clean[n : n + 1]) if gray else clean[n : n + 1]
            if random.random() < 0.5:
                y = Jpeg(int(random.integers(QUALITIES[0], QUALITIES[1] + 1))).forward(x)
            else:
                y = enlarged(x, int(random.choice(SCALES)))
            clean[n], damaged[n] = x[0], y[0]  # a gray crop fills three equal channels
        return Damaged(clean, damaged)

    def loss(self, network: BiasFreeUNet, batch: Damaged, progress: float) -> Tensor:
        restored = denoise(network, batch.damaged, torch.zeros(len(batch.damaged), device=batch.damaged.device))
        error = (restored.float() - batch.clean).square().mean(dim=(1, 2, 3))
        return torch.log(error + FLOOR).mean()

    @torch.no_grad()
    def validate(self, network: BiasFreeUNet) -> dict[str, float]:
        """PSNR in dB of the images that are held out, scored in [0,1], before and after."""
        crops = [centre(image)[:, :SIDE, :SIDE] for images in self.images.validation() for image in images[:VALIDATED]]
        clean = torch.stack(crops)
        damages = {f"JPEG {quality}": Jpeg(quality).forward(clean) for quality in VALIDATED_QUALITIES}
        damages |= {f"×{scale}": enlarged(clean, scale) for scale in SCALES}
        scores: dict[str, float] = {}
        for name, damaged in damages.items():
            restored = torch.cat([denoise(network, y, torch.zeros(len(y))) for y in damaged.split(8)])
            scores[f"PSNR {name}"] = decibel(restored, clean)
            scores[f"gain {name}"] = scores[f"PSNR {name}"] - decibel(damaged, clean)
        mean = float(np.mean([scores[f"PSNR {name}"] for name in damages]))
        return {"mean PSNR": mean, **scores}


def enlarged(x: Tensor, scale: int) -> Tensor:
    """Return x (N,C,H,W) reduced by `scale` and enlarged again, both bicubic."""
    return resize(BicubicReduction(scale).forward(x), *x.shape[-2:])


def decibel(restored: Tensor, clean: Tensor) -> float:
    """Return the mean PSNR of a batch in [0,1]."""
    error = (restored.clamp(0, 1) - clean).square().mean(dim=(1, 2, 3))
    return float((-10 * error.log10()).mean())
