from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_nl_means

import methods.classic.nlm
from bigprior.fusion import fuse
from methods.classic._neighbours import compute, half_window
from methods.classic.nlm import NonLocalMeans, non_local_means
from tests.methods.denoising import observe, on_tensors, photograph, psnr


def direct(
    y: np.ndarray, sigma: float, kernel: float, filtering: float, reach: int, own: float
) -> tuple[np.ndarray, np.ndarray]:
    """The definition, pixel by pixel: the filtered image and 1 − w_ii/Σ_j w_ij."""
    _, h, w = y.shape
    radius = int(np.ceil(2 * kernel))
    padded = np.pad(y, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    taps = np.exp(-((np.arange(-radius, radius + 1) / kernel) ** 2) / 2)
    weight = np.outer(taps, taps) / taps.sum() ** 2
    side = 2 * radius + 1
    patches = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    image, phi = np.zeros_like(y), np.zeros((h, w))
    for i in range(h):
        for k in range(w):
            rows = np.arange(max(0, i - reach), min(h, i + reach + 1))
            cols = np.arange(max(0, k - reach), min(w, k + reach + 1))
            distance = (patches[:, rows[:, None], cols] - patches[:, i, k][:, None, None]) ** 2
            distance = (distance.mean(axis=0) * weight).sum(axis=(2, 3))
            weights = np.exp(-np.maximum(distance - 2 * sigma**2, 0) / filtering**2)
            weights[rows == i, cols == k] = own
            image[:, i, k] = (weights * y[:, rows[:, None], cols]).sum(axis=(1, 2)) / weights.sum()
            phi[i, k] = 1 - own / weights.sum()
    return image, phi


@pytest.mark.parametrize("channels", [1, 3])
def test_definition(channels: int) -> None:
    observation = observe(photograph(16, 19, channels), 25)
    method = NonLocalMeans(search=9)
    restoration = method.restore(observation)
    sigma = 25 / 255
    image, phi = direct(observation.y[0].numpy(), sigma, *method.scales(sigma, channels), 4, method.own)
    assert restoration.phi is not None
    assert np.allclose(restoration.image[0].numpy(), image, atol=1e-12)
    assert np.allclose(restoration.phi[0, 0].numpy(), phi, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_scikit_image(channels: int) -> None:
    """Slow mode: the same kernel (patch side 4a + 1), w_ii = 1, but exponentials to a few percent only."""
    y = observe(photograph(33, 47, channels), 25).y
    reference = denoise_nl_means(
        y[0].permute(1, 2, 0).numpy(), patch_size=7, patch_distance=5, h=0.15, sigma=0.1, fast_mode=False,
        channel_axis=-1,
    ).reshape(33, 47, channels).transpose(2, 0, 1)  # fmt: skip

    def error(sigma: float) -> float:
        neighbours = non_local_means(y, sigma, kernel=1.5, filtering=0.15, search=11)
        return float(np.abs(fuse(y, neighbours.mean, neighbours.reliance(1.0))[0].numpy() - reference).max())

    assert error(0.1) < 4e-3 < error(0.0)


def test_no_noise() -> None:
    observation = observe(torch.full((1, 3, 16, 16), 0.5, dtype=torch.float64), 0)
    restoration = NonLocalMeans().restore(observation)
    assert torch.equal(restoration.image, observation.y)
    assert restoration.phi_mean() == 0


def test_flat_image_is_a_plain_mean() -> None:
    """All weights are 1 but one's own: φ = 168/168.3 where the whole 13×13 window is inside."""
    flat = observe(torch.full((1, 1, 20, 20), 0.5, dtype=torch.float64), 25, level=0)
    phi = NonLocalMeans().restore(flat).phi
    assert phi is not None
    assert float(phi[0, 0, 10, 10]) == pytest.approx(168 / 168.3, abs=1e-12)
    assert float(phi[0, 0, 0, 0]) == pytest.approx(48 / 48.3, abs=1e-12)


def test_largest_sigma_on_the_smallest_image() -> None:
    assert torch.isfinite(NonLocalMeans().restore(observe(photograph(16, 16), 255)).image).all()


@pytest.mark.parametrize(("channels", "sigma", "gain"), [(1, 10.0, 4), (1, 25.0, 7), (3, 10.0, 5), (3, 25.0, 8)])
def test_gain(channels: int, sigma: float, gain: float) -> None:
    clean = photograph(96, 96, channels)
    observation = observe(clean, sigma)
    assert psnr(NonLocalMeans().restore(observation).image, clean) > psnr(observation.y, clean) + gain


@pytest.mark.parametrize("patch", [1, 5, 63])
def test_patches_of_a_given_side(patch: int) -> None:
    """A patch as wide as σ asks gives what none gives; any side does, also one that is wider than the image."""
    observation = observe(photograph(20, 24), 25)
    restored = NonLocalMeans(patch=patch).restore(observation)
    assert torch.isfinite(restored.image).all()
    assert psnr(restored.image, photograph(20, 24)) > psnr(observation.y, photograph(20, 24))
    method = NonLocalMeans(gray=(1.0, 0.0, 1.2), colour=(1.0, 0.0, 0.82))
    assert torch.equal(method.restore(observation).image, replace(method, patch=5).restore(observation).image)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_compiled_loops_are_the_computation_on_tensors(
    channels: int, dtype: torch.dtype, close: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one tile and on several, on images with a side of one pixel, patches of few and many taps, and a wrong σ."""
    pytest.importorskip("numba")
    for method in (NonLocalMeans(), NonLocalMeans(search=5, patch=1), NonLocalMeans(search=3, patch=15)):
        for height, width in ((33, 47), (70, 261), (1, 9), (9, 1), (2, 3)):
            for sigma in (2.0, 25.0, 50.0):
                clean = photograph(height, width, channels, left=0)
                observation = observe(clean, sigma, level=25).to(dtype=dtype)
                expected, found = on_tensors(method, observation, monkeypatch), method.restore(observation)
                torch.testing.assert_close(found.image, expected.image, rtol=0, atol=close)
                torch.testing.assert_close(found.phi, expected.phi, rtol=0, atol=close)


def test_tiles_change_nothing() -> None:
    pytest.importorskip("numba")
    from methods.classic.kernels.nlm import non_local_sums

    y = observe(photograph(37, 41), 25).y
    arguments = 25 / 255, 0.08, [0.4, 0.2, 0.07, 0.03], half_window(y, 6)
    whole, tiled = (compute(y, non_local_sums, *arguments, tile) for tile in ((64, 256), (3, 4)))
    torch.testing.assert_close(tiled.mean, whole.mean, rtol=0, atol=1e-13)
    torch.testing.assert_close(tiled.total, whole.total, rtol=0, atol=1e-12)


def test_a_window_that_no_tile_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is computed on tensors; a little less is not."""
    pytest.importorskip("numba")
    called = []
    computed = methods.classic.nlm.compute
    monkeypatch.setattr(methods.classic.nlm, "compute", lambda *a: called.append(1) or computed(*a))
    y = observe(photograph(2, 220, 1, left=0), 25).y
    for reach, count in ((188, 1), (189, 1)):
        neighbours = non_local_means(y, 25 / 255, kernel=1.0, filtering=0.1, search=2 * reach + 1)
        assert torch.isfinite(neighbours.mean).all()
        assert len(called) == count


def test_every_setting_has_room_in_a_tile() -> None:
    pytest.importorskip("numba")
    from methods.classic.kernels.nlm import fits

    assert fits(half_window(torch.empty(1, 1, 1, 999), 255 // 2), 63 // 2)


def test_a_gradient_goes_through_the_computation_on_tensors() -> None:
    y = observe(photograph(12, 13, 1), 25).y.requires_grad_()
    assert non_local_means(y, 25 / 255, 1.0, 0.1, 5).mean.requires_grad
    with torch.no_grad():
        assert torch.isfinite(non_local_means(y, 25 / 255, 1.0, 0.1, 5).mean).all()
