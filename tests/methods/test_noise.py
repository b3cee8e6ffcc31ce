from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.restoration
import torch
from skimage import data
from torch import Tensor

from methods.noise import (
    _covariance_spectrum,
    _flat_gradient_energy,
    _gradient_energy,
    _noise_variance,
    estimate_sigma,
)
from tests.methods.denoising import observe, photograph

SIGMAS = [5, 10, 25, 50]


def texture() -> Tensor:
    return torch.from_numpy(data.brick()[:192, :192] / 255)[None, None]


def smooth() -> Tensor:
    grid = torch.linspace(0, 3, 160, dtype=torch.float64)
    return 0.5 + 0.3 * torch.stack([(k * grid[:, None] + grid).sin() for k in (1, 2, 3)])[None]


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("clean", [photograph(192, 192), texture(), smooth()], ids=["photo", "texture", "smooth"])
def test_known_level_is_found(clean: Tensor, sigma: int) -> None:
    estimate = 255 * float(estimate_sigma(observe(clean, sigma).y))
    assert estimate == pytest.approx(sigma, abs=0.2 + 0.02 * sigma)


@pytest.mark.parametrize("channels", [1, 3])
def test_closer_than_the_median_of_wavelet_coefficients(channels: int) -> None:
    ours, theirs = [], []
    for sigma in SIGMAS:
        y = observe(photograph(192, 192, channels), sigma).y
        mad = skimage.restoration.estimate_sigma(y[0].numpy(), channel_axis=0, average_sigmas=True)
        ours.append(abs(255 * float(estimate_sigma(y)) - sigma))
        theirs.append(abs(255 * mad - sigma))
    assert np.mean(ours) < 0.75 * np.mean(theirs)


def test_scales_with_the_image() -> None:
    y = observe(photograph(64, 64), 25).y
    assert torch.allclose(estimate_sigma(255 * y), 255 * estimate_sigma(y), rtol=1e-9)
    assert torch.allclose(estimate_sigma(y + 3), estimate_sigma(y), rtol=1e-9)


def test_strips_do_not_change_the_covariance() -> None:
    image = photograph(70, 41, 1)[0]
    patches = torch.nn.functional.unfold(image[None], 8)[0]
    expected = np.linalg.eigvalsh(np.cov(patches.numpy(), bias=True))
    assert np.allclose(_covariance_spectrum(image, 8).numpy(), expected, atol=1e-12)
    chosen = torch.from_numpy(np.random.RandomState(0).rand(63, 34) < 0.5)
    expected = np.linalg.eigvalsh(np.cov(patches[:, chosen.flatten()].numpy(), bias=True))
    assert np.allclose(_covariance_spectrum(image, 8, chosen).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("side", [3, 5, 8])
def test_gradient_energy(side: int) -> None:
    image = photograph(17, 20, 1)[0]
    energy = _gradient_energy(image, side)
    patch = image[0, 4 : 4 + side, 7 : 7 + side].numpy()
    down, across = np.gradient(patch)
    assert float(energy[4, 7]) == pytest.approx((down[1:-1] ** 2).sum() + (across[:, 1:-1] ** 2).sum())
    noise = torch.from_numpy(np.random.RandomState(0).standard_normal((1, 600, 600)))
    accepted = (_gradient_energy(noise, side) <= _flat_gradient_energy(side)).double().mean()
    assert float(accepted) == pytest.approx(0.99, abs=0.015)


def test_gray_texture_is_not_noise() -> None:
    """Half of the image is a texture without noise-like directions to spare; the flat half decides."""
    random = np.random.RandomState(3)
    clean = torch.full((1, 1, 192, 192), 0.5, dtype=torch.float64)
    clean[..., :96] += torch.from_numpy(0.1 * random.standard_normal((192, 96)))
    assert 255 * float(estimate_sigma(observe(clean, 5).y)) == pytest.approx(5, abs=0.2)


def test_mean_meets_median() -> None:
    # The mean of all four, 26.5, is above the median; without 100 both are 2.
    assert float(_noise_variance(torch.tensor([1.0, 2.0, 3.0, 100.0]))) == 2.0
    assert float(_noise_variance(torch.tensor([-1e-18, 0.0, 0.0]))) == 0.0


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16), (3, 33, 47), (1, 3, 3), (3, 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_and_constant_images(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    flat = torch.full((2, *shape), 0.7, dtype=dtype)
    estimate = estimate_sigma(flat)
    assert estimate.dtype == dtype
    assert estimate.shape == (2,)
    assert torch.isfinite(estimate).all()
    assert (estimate >= 0).all()
    assert float(estimate.max()) < 1e-6
    if math.prod(shape) >= 256:
        noisy = observe(flat, 25).y
        assert 255 * float(estimate_sigma(noisy).mean()) == pytest.approx(25, rel=0.15)


def test_one_level_per_image() -> None:
    y = torch.cat([observe(photograph(64, 64), 10).y, observe(photograph(64, 64, top=120), 40).y])
    assert torch.equal(estimate_sigma(y), torch.cat([estimate_sigma(y[:1]), estimate_sigma(y[1:])]))
