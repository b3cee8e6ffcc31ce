from __future__ import annotations

import numpy as np
import pytest
import torch

from bigprior.fusion import fuse
from methods.classic.tikhonov import Tikhonov
from tests.methods.denoising import observe, photograph, psnr


def difference(n: int) -> np.ndarray:
    return np.roll(np.eye(n), 1, axis=1) - np.eye(n)


@pytest.mark.parametrize(("h", "w"), [(16, 16), (9, 14)])
@pytest.mark.parametrize("sigma", [10.0, 50.0])
def test_dense_normal_equations(h: int, w: int, sigma: float) -> None:
    method = Tikhonov()
    observation = observe(photograph(h, w, 1), sigma)
    assert observation.sigma is not None
    weight = float(method.weight(observation.sigma))
    rows, cols = np.kron(difference(h), np.eye(w)), np.kron(np.eye(h), difference(w))
    matrix = np.eye(h * w) + weight * (rows.T @ rows + cols.T @ cols)
    expected = np.linalg.solve(matrix, observation.y[0, 0].numpy().ravel())
    assert np.allclose(method.restore(observation).image.numpy().ravel(), expected, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_fixed_point_in_pixels(channels: int) -> None:
    method = Tikhonov()
    observation = observe(photograph(33, 47, channels), 25)
    assert observation.sigma is not None
    weight = method.weight(observation.sigma)
    x = method.restore(observation).image
    neighbours = (x.roll(1, 2) + x.roll(-1, 2) + x.roll(1, 3) + x.roll(-1, 3)) / 4
    assert torch.allclose(fuse(observation.y, neighbours, 4 * weight / (1 + 4 * weight)), x, atol=1e-12)


def test_no_noise_no_smoothing() -> None:
    observation = observe(photograph(33, 47), 0)
    restoration = Tikhonov().restore(observation)
    assert torch.allclose(restoration.image, observation.y, atol=1e-14)
    assert restoration.phi_mean() == 0


@pytest.mark.parametrize("sigma", [10.0, 25.0, 50.0])
def test_weight_is_near_the_best(sigma: float) -> None:
    clean = photograph(128, 128)
    observation = observe(clean, sigma)

    def quality(factor: float) -> float:
        return psnr(Tikhonov(scale=factor * Tikhonov().scale).restore(observation).image, clean)

    assert quality(1) > max(quality(0.25), quality(4), psnr(observation.y, clean))
