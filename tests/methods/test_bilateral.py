from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

import methods.classic.bilateral
from bigprior.fusion import fuse
from methods.classic._neighbours import compute, half_window
from methods.classic.bilateral import Bilateral, bilateral
from tests.methods.denoising import observe, on_tensors, photograph, psnr


def direct(y: np.ndarray, spatial: float, colour: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The definition, pixel by pixel: the filtered image and 1 − w_ii/Σ_j w_ij."""
    _, h, w = y.shape
    radius = int(reach)
    image, phi = np.zeros_like(y), np.zeros((h, w))
    for i in range(h):
        for k in range(w):
            rows = np.arange(max(0, i - radius), min(h, i + radius + 1))
            cols = np.arange(max(0, k - radius), min(w, k + radius + 1))
            window = y[:, rows[:, None], cols]
            place = (rows[:, None] - i) ** 2 + (cols - k) ** 2
            likeness = np.abs(window - y[:, i, k][:, None, None]).sum(axis=0) ** 2
            weights = np.exp(-place / (2 * spatial**2) - likeness / (2 * colour**2)) * (place <= reach**2)
            image[:, i, k] = (weights * window).sum(axis=(1, 2)) / weights.sum()
            phi[i, k] = 1 - 1 / weights.sum()
    return image, phi


@pytest.mark.parametrize("channels", [1, 3])
def test_definition(channels: int) -> None:
    observation = observe(photograph(18, 23, channels), 15)
    method = Bilateral()
    spatial, colour = method.scales(15 / 255, channels)
    restoration = method.restore(observation)
    image, phi = direct(observation.y[0].numpy(), spatial, colour, 2.5 * spatial)
    assert restoration.phi is not None
    assert np.allclose(restoration.image[0].numpy(), image, atol=1e-12)
    assert np.allclose(restoration.phi[0, 0].numpy(), phi, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_opencv(channels: int) -> None:
    """Inside the image, since OpenCV mirrors it at its borders; it reads its weights from a table."""
    radius = 5
    y = observe(photograph(33, 47, channels), 15).y.float()
    picture = np.ascontiguousarray(y[0].permute(1, 2, 0).numpy().squeeze())
    reference = cv2.bilateralFilter(picture, 2 * radius + 1, 0.2, 2.2).reshape(33, 47, channels).transpose(2, 0, 1)
    neighbours = bilateral(y, spatial=2.2, colour=0.2, radius=radius)
    ours = fuse(y, neighbours.mean, neighbours.reliance(1.0))[0].numpy()
    inside = np.s_[:, radius:-radius, radius:-radius]
    assert np.abs(ours - reference)[inside].max() < 1e-5


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_compiled_loops_are_the_computation_on_tensors(
    channels: int, dtype: torch.dtype, close: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one tile and on several, on images with a side of one pixel, and where weights underflow."""
    pytest.importorskip("numba")
    method = Bilateral()
    for height, width in ((33, 47), (70, 261), (1, 9), (9, 1), (2, 3)):
        for sigma in (2.0, 25.0, 200.0):
            observation = observe(photograph(height, width, channels, left=0), sigma).to(dtype=dtype)
            expected, found = on_tensors(method, observation, monkeypatch), method.restore(observation)
            torch.testing.assert_close(found.image, expected.image, rtol=0, atol=close)
            torch.testing.assert_close(found.phi, expected.phi, rtol=0, atol=close)


def test_the_exponential() -> None:
    """Two pixels, d apart in colour: Σ_j w_ij = exp(−d²/2), from 1 down to where float32 has no normal numbers."""
    pytest.importorskip("numba")
    apart = torch.linspace(0, 20, 2001, dtype=torch.float32)
    y = torch.stack([torch.zeros_like(apart), apart], dim=1)[:, None, None]
    found = bilateral(y, spatial=1e9, colour=1.0, radius=1).total[:, 0, 0].double()
    assert torch.equal(found[:, 0], found[:, 1])
    exact = torch.exp(-0.5 * apart.double().square())
    likely = apart < 3.7
    assert float((found[likely, 0] / exact[likely] - 1).abs().max()) < 1e-6
    assert float((found[:, 0] - exact).abs().max()) < 3e-7
    assert found[-1].eq(0).all()


def test_tiles_change_nothing() -> None:
    pytest.importorskip("numba")
    from methods.classic.kernels.bilateral import bilateral_sums

    y = observe(photograph(37, 41), 25).y
    offsets = half_window(y, 5, 5)
    whole, tiled = (compute(y, bilateral_sums, 2.0, 0.4, offsets, tile) for tile in ((64, 256), (3, 4)))
    torch.testing.assert_close(tiled.mean, whole.mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(tiled.total, whole.total, rtol=0, atol=1e-12)


def test_a_window_that_no_tile_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is computed on tensors; a little less is not."""
    pytest.importorskip("numba")
    called = []
    computed = methods.classic.bilateral.compute
    monkeypatch.setattr(methods.classic.bilateral, "compute", lambda *a: called.append(1) or computed(*a))
    y = observe(photograph(2, 160, 1, left=0), 25).y
    for radius, count in ((128, 1), (129, 1)):
        assert torch.isfinite(bilateral(y, 60.0, 0.2, radius).mean).all()
        assert len(called) == count


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
