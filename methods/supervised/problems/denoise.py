"""Colour denoising at any level up to 55/255, told or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bigprior.denoiser import denoise, untrained
from bigprior.networks import BiasFreeUNet
from bigprior.on_device import OnDevice, OnHost, Source
from bigprior.training import Problem, Recipe
from datasets.operators import Luma
from datasets.training_images import TrainingImages

SIGMA_MAX = 55 / 255
GRAY_SHARE = 0.1
"""Share of crops that are gray with the same noise in all channels: the grayscale mode of the same network."""
TOLD_SHARE = 0.5
"""Share of crops whose σ the network is told."""
FLOOR = 1e-5
"""Added to the error before the logarithm: crops at 50 dB and more count no further."""
LEVELS = (15, 25, 50)
VALIDATED, SIDE = 5, 128
"""Images per set, and the side of their central crops, on which a training is validated."""
WHOLE, WHOLE_LEVEL = 2, 25
"""Images per set that are validated whole, and their σ: a network can be worse there than on crops of its training."""


class Noisy(NamedTuple):
    """Clean crops (N,3,S,S), noisy ones, and σ (N,) with 0 where the network is not told."""

    clean: Tensor
    noisy: Tensor
    told: Tensor


@dataclass(frozen=True)
class Denoising(Problem[BiasFreeUNet, Noisy]):
    """y = x + σ n, σ uniform on [0, 55/255] per crop; the loss is the mean of log(MSE) over crops.

    PSNR is −10 log₁₀ MSE, so the loss is the score itself: no noise level outweighs another.

    Attributes:
        device: that draws the batches and keeps the images; None, the host does.
    """

    images: TrainingImages
    device: str | None = None
    selection: ClassVar[str] = "blind PSNR"

    def network(self) -> BiasFreeUNet:
        return untrained()

    @cached_property
    def source(self) -> Source:
        return OnHost(self.images) if self.device is None else OnDevice(self.images, self.device)

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Noisy:
        clean = self.source.crops(random, recipe.batch, recipe.size)
        noise = self.source.normal(random, clean.shape)
        gray = torch.from_numpy(random.random(len(clean)) < GRAY_SHARE).to(clean.device)
        clean[gray] = Luma().forward(clean[gray]).expand(-1, 3, -1, -1)
        noise[gray] = noise[gray, :1].expand(-1, 3, -1, -1)
        sigma = torch.from_numpy(random.uniform(0, SIGMA_MAX, len(clean)).astype(np.float32)).to(clean.device)
        told = torch.from_numpy(random.random(len(clean)) < TOLD_SHARE).to(clean.device)
        return Noisy(clean, clean + sigma.view(-1, 1, 1, 1) * noise, torch.where(told, sigma, 0))

    def loss(self, network: BiasFreeUNet, batch: Noisy, progress: float) -> Tensor:
        restored = denoise(network, batch.noisy, batch.told)
        error = (restored.float() - batch.clean).square().mean(dim=(1, 2, 3))
        return torch.log(error + FLOOR).mean()

    @torch.no_grad()
    def validate(self, network: BiasFreeUNet) -> dict[str, float]:
        """PSNR in dB of held-out images, scored in [0,1]: blind, told σ, both of crops and of whole images."""
        clean = torch.stack([centre(image) for images in self.images.validation() for image in images[:VALIDATED]])
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        scores: dict[str, list[Tensor]] = {"blind PSNR": [], "told PSNR": []}
        for level in LEVELS:
            sigma = torch.full((len(clean),), level / 255)
            noisy = clean + level / 255 * noise
            for name, told in (("blind PSNR", torch.zeros_like(sigma)), ("told PSNR", sigma)):
                pieces = zip(noisy.split(8), told.split(8), strict=True)
                restored = torch.cat([denoise(network, y, s) for y, s in pieces]).clamp(0, 1)
                psnr = -10 * (restored - clean).square().mean(dim=(1, 2, 3)).log10()
                scores[name].append(psnr.mean())
                scores[f"{name} {level}"] = [psnr.mean()]
        for number, image in enumerate(image for images in self.images.validation() for image in images[:WHOLE]):
            noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(number))
            sigma = torch.full((1,), WHOLE_LEVEL / 255)
            noisy = (image + WHOLE_LEVEL / 255 * noise)[None]
            for name, told in (("blind PSNR whole", torch.zeros_like(sigma)), ("told PSNR whole", sigma)):
                error = (denoise(network, noisy, told)[0].clamp(0, 1) - image).square().mean()
                scores.setdefault(name, []).append(-10 * error.log10())
        return {name: float(torch.stack(values).mean()) for name, values in scores.items()}


def centre(image: Tensor) -> Tensor:
    """Return the central crop (3,SIDE,SIDE) of an image."""
    top, left = ((side - SIDE) // 2 for side in image.shape[-2:])
    return image[:, top : top + SIDE, left : left + SIDE]
