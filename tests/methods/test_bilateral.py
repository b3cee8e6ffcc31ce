from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_bilateral

from bigprior.fusion import fuse
from methods.classic.bilateral import Bilateral, bilateral
from tests.methods.denoising import observe, photograph, psnr


def direct(y: np.ndarray, spatial: float, colour: float, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """The definition, pixel by pixel: the filtered image and 1 − w_ii/Σ_j w_ij."""
    _, h, w = y.shape
    image, phi = np.zeros_like(y), np.zeros((h, w))
    for i in range(h):
        for k in range(w):
            rows = np.arange(max(0, i - radius), min(h, i + radius + 1))
            cols = np.arange(max(0, k - radius), min(w, k + radius + 1))
            window = y[:, rows[:, None], cols]
            place = (rows[:, None] - i) ** 2 + (cols - k) ** 2
            likeness = ((window - y[:, i, k][:, None, None]) ** 2).sum(axis=0)
            weights = np.exp(-place / (2 * spatial**2) - likeness / (2 * colour**2))
            image[:, i, k] = (weights * window).sum(axis=(1, 2)) / weights.sum()
            phi[i, k] = 1 - 1 / weights.sum()
    return image, phi


@pytest.mark.parametrize(("channels", "radius"), [(1, 4), (3, 6)])
def test_definition(channels: int, radius: int) -> None:
    observation = observe(photograph(18, 23, channels), 15)
    method = Bilateral()
    spatial, colour = method.scales(15 / 255, channels)
    restoration = method.restore(observation)
    image, phi = direct(observation.y[0].numpy(), spatial, colour, radius)
    assert restoration.phi is not None
    assert np.allclose(restoration.image[0].numpy(), image, atol=1e-12)
    assert np.allclose(restoration.phi[0, 0].numpy(), phi, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_scikit_image(channels: int) -> None:
    """Range weights against scikit-image, inside the image.

    Its table of spatial weights is shifted by a pixel for odd windows and its colour distance is divided by the
    number of channels, so the spatial weights are made flat and the width is divided too.
    """
    radius = 6
    y = observe(photograph(33, 47, channels), 15).y
    y = y - y.min()
    reference = denoise_bilateral(
        y[0].permute(1, 2, 0).numpy().squeeze(), win_size=2 * radius + 1, sigma_color=0.2 / channels, sigma_spatial=1e6,
        bins=1_000_000, mode="edge", channel_axis=-1 if channels == 3 else None,
    ).reshape(33, 47, channels).transpose(2, 0, 1)  # fmt: skip
    neighbours = bilateral(y, spatial=1e6, colour=0.2, radius=radius)
    ours = fuse(y, neighbours.mean, neighbours.reliance(1.0))[0].numpy()
    inside = np.s_[:, radius:-radius, radius:-radius]
    assert np.abs(ours - reference)[inside].max() < 1e-5


def test_no_noise() -> None:
    observation = observe(torch.full((1, 3, 16, 16), 0.5, dtype=torch.float64), 0)
    restoration = Bilateral().restore(observation)
    assert torch.equal(restoration.image, observation.y)
    assert restoration.phi_mean() == 0


def test_the_prior_is_made_of_the_others() -> None:
    """An isolated pixel, unlike all around it, relies on itself; changing it leaves its g where its weights allow."""
    y = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    y[0, 0, 8, 8] = 100.0
    neighbours = bilateral(y, spatial=1.5, colour=0.1)
    phi = neighbours.reliance(1.0)
    assert phi[0, 0, 8, 8] == 0
    assert torch.equal(fuse(y, neighbours.mean, phi)[0, 0, 8, 8], y[0, 0, 8, 8])


@pytest.mark.parametrize(("channels", "sigma", "gain"), [(1, 10.0, 3.5), (1, 25.0, 6), (3, 10.0, 4.5), (3, 25.0, 7)])
def test_gain(channels: int, sigma: float, gain: float) -> None:
    clean = photograph(96, 96, channels)
    observation = observe(clean, sigma)
    assert psnr(Bilateral().restore(observation).image, clean) > psnr(observation.y, clean) + gain
