from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from methods.classic._fourier import wiener
from methods.classic.fourier_wiener import FourierWiener, smooth
from methods.classic.fourier_wiener_oracle import FourierWienerOracle
from tests.methods.denoising import observe, photograph, psnr


def test_posterior_mean_of_a_dense_gaussian() -> None:
    """x ~ N(μ, F* S F): the textbook formula μ + C (C + σ²I)⁻¹ (y − μ) with the covariance written out."""
    h, w, sigma, mean = 5, 6, 0.1, 0.4
    random = np.random.RandomState(1)
    spectrum = np.abs(np.fft.fft2(random.rand(h, w))) ** 2 / (h * w)
    dft = np.stack([np.fft.fft2(e.reshape(h, w), norm="ortho").ravel() for e in np.eye(h * w)], axis=1)
    covariance = (dft.conj().T @ np.diag(spectrum.ravel()) @ dft).real
    y = random.rand(h, w)
    expected = mean + covariance @ np.linalg.solve(covariance + sigma**2 * np.eye(h * w), y.ravel() - mean)
    ours = wiener(
        torch.from_numpy(y)[None, None],
        torch.full((1, 1, 1, 1), mean, dtype=torch.float64),
        torch.from_numpy(spectrum)[None, None],
        torch.tensor([sigma], dtype=torch.float64),
    )
    assert np.allclose(ours.image[0, 0].numpy().ravel(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(32, 31), (33, 47)])
def test_smoothing_is_a_periodic_gaussian(shape: tuple[int, int]) -> None:
    impulse = torch.zeros(1, 1, *shape, dtype=torch.float64)
    impulse[0, 0, 0, 0] = 1
    result = smooth(impulse, 2.0)[0, 0]
    rows, cols = (torch.fft.fftfreq(n, 1 / n).double() for n in shape)
    gaussian = torch.exp(-(rows[:, None] ** 2 + cols[None, :] ** 2) / 8) / (8 * math.pi)
    assert (result - gaussian).abs().max() < 1e-6 * float(gaussian.max())
    assert torch.allclose(smooth(impulse + 1, 2.0), smooth(impulse, 2.0) + 1)


def test_keeps_the_mean_and_the_constant_image() -> None:
    observation = observe(photograph(33, 47), 25)
    restoration = FourierWiener().restore(observation)
    means = (observation.y.mean(dim=(2, 3)), restoration.image.mean(dim=(2, 3)))
    assert torch.allclose(*means, atol=1e-12)
    flat = observe(torch.full((1, 3, 16, 16), 0.3, dtype=torch.float64), 25, level=0)
    restored = FourierWiener().restore(flat)
    assert torch.allclose(restored.image, flat.y, atol=1e-12)
    assert restored.phi_mean() == pytest.approx(1)


def test_white_noise_is_all_prior() -> None:
    noise = observe(torch.zeros(1, 1, 128, 128, dtype=torch.float64), 25)
    restoration = FourierWiener().restore(noise)
    assert restoration.phi is not None
    assert float(restoration.phi.mean()) > 0.93
    assert float(restoration.image.std()) < 0.25 * float(noise.y.std())


@pytest.mark.parametrize("sigma", [10.0, 25.0, 50.0])
def test_between_the_noisy_image_and_the_oracle(sigma: float) -> None:
    clean = photograph(128, 128)
    observation = observe(clean, sigma)
    ours = psnr(FourierWiener().restore(observation.without_truth()).image, clean)
    best = psnr(FourierWienerOracle().restore(observation).image, clean)
    assert psnr(observation.y, clean) + 2 < ours < best < ours + 1.5
