"""Wavelet shrinkage: the transform, the thresholds and scikit-image's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import torch
from skimage import data
from skimage.restoration import denoise_wavelet
from torch import Tensor

from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from methods.classic.wavelet import Wavelets, WaveletShrinkage, bayes_shrink_reliance

OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])


def noisy(channels: int, height: int, width: int, sigma: float, dtype: torch.dtype = torch.float64) -> Tensor:
    clean = torch.from_numpy(data.astronaut()[90 : 90 + height, 190 : 190 + width, :channels] / 255.0)
    noise = np.random.RandomState(0).standard_normal((1, channels, height, width))
    return (clean.permute(2, 0, 1)[None] + sigma * torch.from_numpy(noise)).to(dtype)


def observe(y: Tensor, *sigma: float) -> Observation:
    return Observation(y, Identity(), Gaussian(torch.tensor(sigma, dtype=y.dtype)))


def reference(plane: np.ndarray, sigma: float, wavelet: str, levels: int) -> np.ndarray:
    options = {"method": "BayesShrink", "mode": "soft", "wavelet_levels": levels, "rescale_sigma": False}
    return denoise_wavelet(plane, sigma=sigma, wavelet=wavelet, **options)


@pytest.mark.parametrize(("wavelet", "levels"), [("sym4", 2), ("db2", 3), ("haar", 4)])
@pytest.mark.parametrize("size", [(64, 64), (61, 75)])
def test_equals_scikit_image(wavelet: str, levels: int, size: tuple[int, int]) -> None:
    y = noisy(1, *size, 0.1)
    restoration = WaveletShrinkage(wavelet, levels, shifts=1).restore(observe(y, 0.1))
    np.testing.assert_allclose(
        restoration.image[0, 0].numpy(), reference(y[0, 0].numpy(), 0.1, wavelet, levels), atol=1e-6
    )


def test_colour_equals_scikit_image_in_the_opponent_space() -> None:
    y = noisy(3, 45, 52, 0.1)
    restoration = WaveletShrinkage("db2", 3, shifts=1).restore(observe(y, 0.1))
    planes = np.einsum("oc,chw->ohw", OPPONENT, y[0].numpy())
    expected = np.einsum("oc,ohw->chw", OPPONENT, np.stack([reference(plane, 0.1, "db2", 3) for plane in planes]))
    np.testing.assert_allclose(restoration.image[0].numpy(), expected, atol=1e-6)


def test_cycle_spinning_is_the_mean_over_shifts() -> None:
    y = noisy(1, 45, 52, 0.1)
    ours = WaveletShrinkage("sym4", 2, shifts=3, spacing=5).restore(observe(y, 0.1)).image[0, 0].numpy()
    total = np.zeros((45, 52))
    for a in (0, 5, 10):
        for b in (0, 5, 10):
            shifted = np.pad(y[0, 0].numpy(), ((a, 10 - a), (b, 10 - b)), mode="symmetric")
            total += reference(shifted, 0.1, "sym4", 2)[a : a + 45, b : b + 52]
    np.testing.assert_allclose(ours, total / 9, atol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (64, 31)])
@pytest.mark.parametrize(("channels", "shifts"), [(1, 1), (3, 1), (1, 4), (3, 4)])
def test_perfect_reconstruction(size: tuple[int, int], channels: int, shifts: int) -> None:
    x = noisy(channels, *size, 0.1)
    domain = Wavelets(channels, *size, "sym4", 1, shifts, 5)
    coefficients = domain.analysis(x)
    assert coefficients.shape == (1, shifts**2, channels, sum(h * w for h, w in domain.subbands))
    torch.testing.assert_close(domain.synthesis(coefficients), x, rtol=0, atol=1e-12)


def test_reliance_is_that_of_soft_thresholding() -> None:
    """c (1 − φ) = soft(c, T), T = σ²/σ_x; a zero coefficient relies on the prior."""
    c = torch.from_numpy(np.random.RandomState(1).laplace(size=(2, 1, 3, 500)))
    c[..., 0] = 0
    phi = bayes_shrink_reliance(c, torch.tensor(0.5, dtype=c.dtype))
    for band, reliance in zip(c.reshape(-1, 500).numpy(), phi.reshape(-1, 500).numpy(), strict=True):
        threshold = 0.5 / np.sqrt(np.mean(band**2) - 0.5)
        np.testing.assert_allclose(band * (1 - reliance), pywt.threshold(band, threshold, "soft"), atol=1e-12)
        assert reliance[0] == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_limits_of_the_reliance(dtype: torch.dtype) -> None:
    """A band weaker than the noise is all prior; without noise all is data, zeros included."""
    c = torch.tensor([[0.1, 0.0, -0.2]], dtype=dtype)
    assert torch.equal(bayes_shrink_reliance(c, torch.tensor(1.0, dtype=dtype)), torch.ones_like(c))
    assert torch.equal(bayes_shrink_reliance(c, torch.tensor(0.0, dtype=dtype)), torch.zeros_like(c))


def test_approximation_is_data() -> None:
    restoration = WaveletShrinkage().restore(observe(noisy(3, 64, 80, 0.2), 0.2))
    domain = restoration.domain
    assert isinstance(domain, Wavelets)
    assert restoration.phi is not None
    approximation, *details = domain.split(restoration.phi)
    assert float(approximation.max()) == 0
    assert all(float(band.max()) == 1 for band in details)


@pytest.mark.parametrize("wavelet", ["haar", "sym4"])
def test_pixel_map_weighs_by_squared_synthesis(wavelet: str) -> None:
    """Against unit impulses, one coefficient at a time."""
    domain = Wavelets(1, 7, 10, wavelet, 1, 2, 1)
    count = sum(h * w for h, w in domain.subbands)
    units = torch.eye(4 * count, dtype=torch.float64).reshape(-1, 4, 1, count)
    # The mean over shifts is a mean of means: each shift's weights are its own synthesis, without the factor 1/S².
    weights = (4 * domain.synthesis(units)).square()
    phi = torch.from_numpy(np.random.RandomState(0).uniform(size=(1, 4, 1, count)))
    expected = torch.einsum("k,kchw->chw", phi.flatten(), weights) / weights.sum(dim=0)
    torch.testing.assert_close(domain.pixel_map(phi)[0], expected, rtol=0, atol=1e-12)


def test_pixel_map_is_a_mean() -> None:
    domain = Wavelets(3, 33, 47, "sym4", 2, 4, 5)
    phi = torch.full((2, 16, 3, sum(h * w for h, w in domain.subbands)), 0.3, dtype=torch.float64)
    torch.testing.assert_close(domain.pixel_map(phi), torch.full((2, 1, 33, 47), 0.3, dtype=torch.float64))


def test_levels_of_noise_do_not_mix_in_a_batch() -> None:
    y = torch.cat([noisy(3, 32, 32, 0.1, torch.float32)] * 2)
    restoration = WaveletShrinkage().restore(observe(y, 0.0, 0.1))
    torch.testing.assert_close(restoration.image[0], y[0], rtol=0, atol=1e-5)
    assert restoration.phi is not None
    assert float(restoration.phi[0].max()) == 0
    alone = WaveletShrinkage().restore(observe(y[1:], 0.1)).image[0]
    torch.testing.assert_close(restoration.image[1], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("wavelet", "levels", "spacing"), [("sym4", 5, 5), ("haar", 2, 1), ("db3", 3, 2), ("sym8", 1, 7)]
)
@pytest.mark.parametrize("size", [(64, 64), (33, 18), (9, 7)])
def test_compiled_equals_tensors(
    wavelet: str, levels: int, spacing: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one batch no noise, some noise, and a σ under which whole bands vanish."""
    pytest.importorskip("numba")
    method = WaveletShrinkage(wavelet, levels, shifts=3, spacing=spacing)
    for channels, dtype, tolerance in ((3, torch.float64, 1e-12), (1, torch.float32, 2e-6)):
        observation = observe(torch.cat([noisy(channels, *size, 0.1, dtype)] * 3), 0.0, 0.1, 5.0)
        compiled = method.restore(observation)
        with monkeypatch.context() as patch:
            patch.setattr("methods.classic.wavelet.available", lambda *_: False)
            tensors = method.restore(observation)
        torch.testing.assert_close(compiled.image, tensors.image, rtol=0, atol=tolerance)
        torch.testing.assert_close(compiled.image, compiled.recompose(), rtol=0, atol=tolerance)
        torch.testing.assert_close(compiled.phi, tensors.phi)
        torch.testing.assert_close(compiled.phi_mean(), tensors.phi_mean())


def test_nothing_but_the_image_is_made_until_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Wavelets, "analysis_at", refuse)
    restoration = WaveletShrinkage().restore(observe(noisy(1, 32, 32, 0.1), 0.1))
    assert restoration.decoupled
    with pytest.raises(AssertionError):
        restoration.recompose()
