from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch

from datasets.noise import Gaussian
from datasets.observation import Observation
from methods.classic.local_wiener import LocalWiener, local_moments
from tests.methods.denoising import observe, photograph, psnr


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("sigma", "size"), [(5.0, 3), (25.0, 5), (50.0, 7)])
def test_scipy_in_the_interior(sigma: float, size: int, channels: int) -> None:
    observation = observe(photograph(33, 47, channels), sigma)
    ours = LocalWiener().restore(observation).image[0].numpy()
    inside = np.s_[size // 2 : -(size // 2), size // 2 : -(size // 2)]
    for x, y in zip(ours, observation.y[0].numpy(), strict=True):
        reference = scipy.signal.wiener(y, size, noise=(sigma / 255) ** 2)
        assert np.abs(x - reference)[inside].max() < 1e-12


@pytest.mark.parametrize("size", [3, 5, 7])
def test_moments_with_mirrored_borders(size: int) -> None:
    y = photograph(16, 19, 1)
    mean, variance = local_moments(y, size)
    image = y[0, 0].numpy()
    assert np.allclose(mean[0, 0], scipy.ndimage.uniform_filter(image, size, mode="mirror"), atol=1e-12)
    assert np.allclose(variance[0, 0], scipy.ndimage.generic_filter(image, np.var, size, mode="mirror"), atol=1e-12)


def test_single_precision_variance_does_not_cancel() -> None:
    y = 1000 + 0.01 * photograph(16, 16, 1)
    exact = local_moments(y, 5)[1]
    rounded = y.float().double()
    assert torch.allclose(local_moments(y.float(), 5)[1].double(), local_moments(rounded, 5)[1], rtol=1e-3)
    assert exact.max() < 1e-4


def test_reliance() -> None:
    flat = observe(torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64), 25, level=0)
    restoration = LocalWiener().restore(flat)
    assert restoration.phi is not None
    assert torch.equal(restoration.phi, torch.ones_like(flat.y))
    silent = observe(torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64), 0)
    assert LocalWiener().restore(silent).phi_mean() == 0


def test_window_of_each_image_is_its_own() -> None:
    y = observe(photograph(33, 47), 25)
    levels = torch.tensor([5 / 255, 50 / 255], dtype=torch.float64)
    images = LocalWiener().restore(Observation.cat([y, y]).told(Gaussian(levels))).image
    for index in range(2):
        alone = LocalWiener().restore(y.told(Gaussian(levels[index : index + 1]))).image
        assert torch.allclose(images[index], alone[0], atol=1e-7)


def test_gain() -> None:
    clean = photograph(96, 96)
    observation = observe(clean, 25)
    assert psnr(LocalWiener().restore(observation).image, clean) > psnr(observation.y, clean) + 4
