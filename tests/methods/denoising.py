"""Test images and observations for denoising methods."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.noise import Gaussian
from datasets.observation import Observation, Truth
from datasets.operators import Identity
from methods.base import Method


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


def on_tensors(method: Method, observation: Observation, monkeypatch: pytest.MonkeyPatch) -> Restoration:
    """Restore with what a row computes where its kernels cannot be used; the module of its class asks if they can."""
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules[type(method).__module__], "available", lambda *tensors: False)
        return method.restore(observation)
