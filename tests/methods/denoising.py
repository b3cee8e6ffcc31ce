"""Test images and observations for denoising methods."""

from __future__ import annotations

import numpy as np
import torch
from skimage import data
from torch import Tensor

from datasets.noise import Gaussian
from datasets.observation import Observation, Truth
from datasets.operators import Identity


def photograph(height: int, width: int, channels: int = 3, top: int = 60, left: int = 190) -> Tensor:
    """A crop of a photograph, (1,C,H,W) in float64."""
    crop = data.astronaut()[top : top + height, left : left + width, :channels] / 255
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))[None]


def observe(clean: Tensor, sigma: float | None, level: float | None = None) -> Observation:
    """The clean batch with noise of `level` (by default σ) and with σ told, both on the 0–255 scale."""
    level = (sigma or 0.0) if level is None else level
    noise = torch.from_numpy(np.random.RandomState(0).standard_normal(tuple(clean.shape)))
    told, true = (
        None if each is None else Gaussian(torch.full((len(clean),), each / 255, dtype=clean.dtype))
        for each in (sigma, level)
    )
    assert true is not None
    return Observation(clean + level / 255 * noise.to(clean.dtype), Identity(), told, Truth(clean, true))


def psnr(x: Tensor, clean: Tensor) -> float:
    return float(-10 * (x - clean).square().mean().log10())
