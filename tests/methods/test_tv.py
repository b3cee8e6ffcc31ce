"""Total variation: the gradient, the minimiser and the fusion that holds at it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from skimage import data
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from methods.classic import kernels, tv
from methods.classic.tv import TotalVariation, degree, edge_weights, fixed_point, residual, rof


def noisy(channels: int, height: int, width: int, sigma: float, dtype: torch.dtype = torch.float64) -> Tensor:
    clean = torch.from_numpy(data.astronaut()[90 : 90 + height, 190 : 190 + width, :channels] / 255.0)
    noise = np.random.RandomState(0).standard_normal((1, channels, height, width))
    return (clean.permute(2, 0, 1)[None] + sigma * torch.from_numpy(noise)).to(dtype)


def observe(y: Tensor, *sigma: float) -> Observation:
    return Observation(y, Identity(), Gaussian(torch.tensor(sigma, dtype=y.dtype)))


def scalar(value: float) -> Tensor:
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


def objective(x: Tensor, y: Tensor, lam: float, eps: float) -> Tensor:
    """The definition, written with padding and nothing from the module."""
    down = torch.diff(x, dim=-2, append=x[..., -1:, :])
    right = torch.diff(x, dim=-1, append=x[..., -1:])
    return 0.5 * (x - y).square().sum() + lam * ((down**2 + right**2).sum(dim=1) + eps**2).sqrt().sum()


def difference_matrix(height: int, width: int) -> np.ndarray:
    """∇ as a matrix (2HW, HW): differences downwards, then to the right; zero rows at the border."""
    index = np.arange(height * width).reshape(height, width)
    matrix = np.zeros((2, height * width, height * width))
    for half, here, there in ((0, index[:-1], index[1:]), (1, index[:, :-1], index[:, 1:])):
        matrix[half, here.ravel(), there.ravel()] = 1
        matrix[half, here.ravel(), here.ravel()] = -1
    return matrix.reshape(-1, height * width)


@pytest.mark.parametrize("channels", [1, 3])
def test_residual_is_minus_the_gradient(channels: int) -> None:
    y = noisy(channels, 9, 14, 0.1)
    x = (y + 0.05 * torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)).requires_grad_()
    (expected,) = torch.autograd.grad(objective(x, y, 0.2, 0.01), x)
    x = x.detach()
    torch.testing.assert_close(-residual(x, y, 0.2 * edge_weights(x, 0.01)), expected, rtol=0, atol=1e-12)


def test_edges_are_those_of_the_normal_equations() -> None:
    """Σ_j w_ij x_i − Σ_j w_ij x_j = (∇ᵀ W ∇ x)_i, and Σ_j w_ij is its diagonal."""
    x = noisy(3, 6, 7, 0.1)
    total, weighted = fixed_point(x, scalar(0.01))
    gradient = difference_matrix(6, 7)
    w = np.tile(edge_weights(x, scalar(0.01)).numpy().ravel(), 2)
    matrix = gradient.T @ (w[:, None] * gradient)
    np.testing.assert_allclose(total.numpy().ravel(), np.diag(matrix), rtol=1e-12)
    np.testing.assert_allclose(degree(edge_weights(x, scalar(0.01))).numpy().ravel(), np.diag(matrix), rtol=1e-12)
    for channel in range(3):
        flat = x[0, channel].numpy().ravel()
        np.testing.assert_allclose(
            (total[0, 0] * x[0, channel] - weighted[0, channel]).numpy().ravel(), matrix @ flat, atol=1e-10
        )


@pytest.mark.parametrize("channels", [1, 3])
def test_minimises_like_brute_force(channels: int) -> None:
    """No worse than L-BFGS on the definition, and the same image."""
    y = noisy(channels, 11, 14, 0.1)
    method = TotalVariation(tolerance=1e-6)
    restoration = method.restore(observe(y, 0.1))
    lam = float(method.strength(torch.tensor(0.1, dtype=torch.float64), channels))
    eps = method.smoothing * lam

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.from_numpy(flat).reshape(y.shape).requires_grad_()
        value = objective(x, y, lam, eps)
        value.backward()
        return value.item(), x.grad.numpy().ravel()  # type: ignore[union-attr]

    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 50}
    brute = minimize(value_and_gradient, y.numpy().ravel(), jac=True, method="L-BFGS-B", options=options)
    assert float(objective(restoration.image, y, lam, eps)) <= brute.fun + 1e-8
    np.testing.assert_allclose(restoration.image.numpy().ravel(), brute.x, atol=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0.004, 0.02, 0.1, 0.2, 0.4])
def test_image_and_phi_are_those_of_the_minimiser(sigma: float, channels: int, dtype: torch.dtype) -> None:
    """At every noise level, within the bounds that the docstring gives for the default tolerance."""
    y = noisy(channels, 33, 47, sigma)
    method = TotalVariation()
    restoration = method.restore(observe(y.to(dtype), sigma))
    lam = method.strength(scalar(sigma), channels)
    exact = rof(y, lam, method.smoothing * lam, 1000)
    total, weighted = fixed_point(exact, method.smoothing * lam)
    torch.testing.assert_close((y + lam * weighted) / (1 + lam * total), exact, rtol=0, atol=1e-12)
    error = (restoration.image.double() - exact) / lam
    assert float(error.abs().max()) < 2e-3
    assert float(error.square().mean().sqrt()) < method.tolerance
    assert restoration.phi is not None
    torch.testing.assert_close(restoration.phi.double(), 1 - 1 / (1 + lam * total), rtol=0, atol=2e-3)
    torch.testing.assert_close(restoration.recompose(), restoration.image, rtol=0, atol=0)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.4])
def test_gradient_is_within_the_tolerance(sigma: float, tolerance: float) -> None:
    y = noisy(3, 40, 31, sigma)
    lam = TotalVariation().strength(scalar(sigma), 3)
    x = rof(y, lam, 0.05 * lam, 1000, tolerance)
    gradient = residual(x, y, lam * edge_weights(x, 0.05 * lam)).square().mean().sqrt()
    assert float(gradient) <= tolerance * float(lam)
    assert float(gradient) > 1e-3 * tolerance * float(lam), "it goes on for no reason"


def test_objective_never_rises() -> None:
    y = noisy(1, 24, 29, 0.1)
    values = [float(objective(rof(y, scalar(0.08), scalar(0.004), sweeps), y, 0.08, 0.004)) for sweeps in range(30)]
    assert (np.diff(values) < 0).all()


SIZES = [(1, 7), (6, 1), (2, 2), (3, 2), (16, 17), (33, 48)]


@pytest.mark.skipif(not kernels.installed(), reason="there is no numba")
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_kernels_equal_tensors(
    size: tuple[int, int], channels: int, dtype: torch.dtype, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two images of different noise, sweep by sweep and where they stop."""
    y = torch.cat([noisy(3, *size, sigma)[:, :channels] for sigma in (0.02, 0.3)]).to(dtype)
    lam = torch.tensor([0.01, 0.3], dtype=dtype)[:, None, None, None]

    def results() -> list[Tensor]:
        few, many = rof(y, lam, 0.05 * lam, 3), rof(y, lam, 0.05 * lam, 200, 1e-4)
        total, weighted = fixed_point(y, 0.05 * lam)
        return [few, many, total * lam, weighted * lam]

    with_kernels = results()
    monkeypatch.setattr(tv, "available", lambda *tensors: False)
    for ours, theirs in zip(with_kernels, results(), strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=bound, atol=bound)


@pytest.mark.skipif(not kernels.installed(), reason="there is no numba")
@pytest.mark.parametrize("channels", [1, 3])
def test_restores_alike_on_tensors(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In single precision: PSNR to 1e-4 dB, φ to where rounding moves the weights."""
    clean, y = (noisy(channels, 65, 48, sigma, torch.float32) for sigma in (0.0, 0.1))
    compiled = TotalVariation().restore(observe(y, 0.1))
    monkeypatch.setattr(tv, "available", lambda *tensors: False)
    on_tensors = TotalVariation().restore(observe(y, 0.1))
    psnr = [-10 * float((r.image - clean).double().square().mean().log10()) for r in (compiled, on_tensors)]
    assert psnr[0] == pytest.approx(psnr[1], abs=1e-4)
    assert compiled.phi is not None
    torch.testing.assert_close(compiled.phi, on_tensors.phi, rtol=0, atol=1e-4)


def test_one_pixel_is_returned() -> None:
    y = torch.full((1, 3, 1, 1), 0.3)
    restoration = TotalVariation().restore(observe(y, 0.1))
    assert torch.equal(restoration.image, y)
    assert restoration.phi is not None
    assert float(restoration.phi) == 0


def test_agrees_with_scikit_image() -> None:
    """Chambolle's algorithm, run long, on the unsmoothed problem: 1/500 of the range for a small ε."""
    y = noisy(1, 33, 47, 0.1)
    theirs = denoise_tv_chambolle(y[0, 0].numpy(), weight=0.08, eps=1e-9, max_num_iter=5000)
    ours = rof(y, scalar(0.08), scalar(1e-4), 1500)[0, 0].numpy()
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    method = TotalVariation(scale_gray=0.8, power_gray=0)
    smoothed = method.restore(observe(y, 0.1)).image[0, 0].numpy()
    np.testing.assert_allclose(smoothed, theirs, atol=2e-2)
    assert np.sqrt(np.mean((smoothed - theirs) ** 2)) < 3e-3


def test_step_has_its_closed_form() -> None:
    """A step with n columns on either side: as ε → 0 each side moves by λ/n towards the other."""
    y = torch.zeros(1, 1, 5, 12, dtype=torch.float64)
    y[..., 6:] = 1
    expected = y + 0.3 / 6 * (1 - 2 * y)
    torch.testing.assert_close(rof(y, scalar(0.3), scalar(1e-4), 6000), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_is_kept(dtype: torch.dtype) -> None:
    y = noisy(3, 33, 47, 0.2, dtype)
    image = TotalVariation().restore(observe(y, 0.2)).image
    assert image.dtype == dtype
    # The mean of the gradient, which is at most its root mean square.
    torch.testing.assert_close(image.mean(dim=(2, 3)), y.mean(dim=(2, 3)), rtol=0, atol=3e-5)


def test_prior_is_a_mean_of_neighbours() -> None:
    y = noisy(1, 16, 19, 0.1)
    restoration = TotalVariation().restore(observe(y, 0.1))
    assert restoration.prior is not None
    x = torch.nn.functional.pad(restoration.image, (1, 1, 1, 1), value=torch.nan)
    four = torch.stack([x[..., 1:-1, :-2], x[..., 1:-1, 2:], x[..., :-2, 1:-1], x[..., 2:, 1:-1]])
    assert (restoration.prior <= four.nan_to_num(nan=-torch.inf).amax(dim=0) + 1e-4).all()
    assert (restoration.prior >= four.nan_to_num(nan=torch.inf).amin(dim=0) - 1e-4).all()


def test_levels_of_noise_do_not_mix_in_a_batch() -> None:
    y = torch.cat([noisy(3, 16, 16, 0.1, torch.float32)] * 2)
    restoration = TotalVariation().restore(observe(y, 0.0, 0.1))
    torch.testing.assert_close(restoration.image[0], y[0], rtol=0, atol=0)
    assert restoration.phi is not None
    assert float(restoration.phi[0].max()) == 0
    alone = TotalVariation().restore(observe(y[1:], 0.1)).image[0]
    torch.testing.assert_close(restoration.image[1], alone, rtol=0, atol=0)
