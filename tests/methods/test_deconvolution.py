"""Deconvolution rows: closed forms, minimisers against slow references, and the fusions that they claim."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from datasets.blur import CroppedBlur, PeriodicBlur
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.task import Key, get_task
from methods.base import Method
from methods.classic._blurred import blurred, differences, gathered
from methods.classic.hyper_laplacian import HyperLaplacian, least
from methods.classic.richardson_lucy import RichardsonLucy
from methods.classic.tikhonov_deconvolution import TikhonovDeconvolution
from methods.classic.tv_deconvolution import TVDeconvolution
from methods.classic.wiener_deconvolution import WienerDeconvolution
from methods.registry import get_method
from tests.datasets.halving import Halve
from tests.methods.denoising import photograph, psnr

KERNEL = torch.tensor([[0.0, 0.2, 0.05], [0.1, 0.5, 0.0], [0.0, 0.1, 0.05]], dtype=torch.float64)[None, None]
"""Without symmetry, |k̂| far from 0."""
ROWS = ["wiener-deconvolution", "tikhonov-deconvolution", "richardson-lucy", "tv-deconvolution", "hyper-laplacian"]
CROPPED_TOO = {"tikhonov-deconvolution", "richardson-lucy", "tv-deconvolution"}


def observe(cls: type[PeriodicBlur] | type[CroppedBlur], sigma: float, size: tuple[int, int] = (9, 14)) -> Observation:
    """A photograph, blurred, with noise of σ on the 0–255 scale."""
    operator = cls(KERNEL)
    y = operator.forward(photograph(*size, channels=1))
    noise = torch.from_numpy(np.random.RandomState(0).standard_normal(tuple(y.shape)))
    return Observation(y + sigma / 255 * noise, operator, Gaussian(torch.tensor([sigma / 255], dtype=y.dtype)))


def dense(observation: Observation) -> np.ndarray:
    """A as a matrix."""
    shape = observation.operator.image_shape(observation.y.shape)
    units = torch.eye(shape[2] * shape[3], dtype=torch.float64).view(-1, 1, *shape[2:])
    return torch.stack([observation.operator.forward(unit[None]).flatten() for unit in units], dim=1).numpy()


def gradient(h: int, w: int) -> np.ndarray:
    """∇ as a matrix (2HW,HW), periodic."""
    down, right = (np.roll(np.eye(n), 1, axis=1) - np.eye(n) for n in (h, w))
    return np.concatenate([np.kron(down, np.eye(w)), np.kron(np.eye(h), right)])


@pytest.mark.parametrize("cls", [PeriodicBlur, CroppedBlur])
def test_tikhonov_solves_the_normal_equations(cls: type[PeriodicBlur]) -> None:
    observation, method = observe(cls, 2.55), TikhonovDeconvolution()
    assert observation.sigma is not None
    a, d = dense(observation), gradient(9, 14)
    weight = float(method.weight(observation.sigma))
    expected = np.linalg.solve(a.T @ a + weight * d.T @ d, a.T @ observation.y.numpy().ravel())
    found = method.restore(observation).image.numpy().ravel()
    np.testing.assert_allclose(found, expected, atol=1e-10 if cls is PeriodicBlur else 1e-4)


def test_wiener_is_the_posterior_mean() -> None:
    """E[x | y] of the dense Gaussian model; the mean is known, which a variance near infinity says as well."""
    observation, method = observe(PeriodicBlur, 5.0), WienerDeconvolution()
    h, w = observation.y.shape[-2:]
    a, y = dense(observation), observation.y.numpy().ravel()
    fourier = np.kron(np.fft.fft(np.eye(h), norm="ortho"), np.fft.fft(np.eye(w), norm="ortho"))
    certain = method.certainty(observation.y).numpy().ravel()
    inverse = (fourier.conj().T @ (certain[:, None] * fourier)).real
    expected = y.mean() + np.linalg.solve(a.T @ a + (5 / 255) ** 2 * inverse, a.T @ (y - y.mean()))
    restoration = method.restore(observation)
    np.testing.assert_allclose(restoration.image.numpy().ravel(), expected, atol=1e-10)
    assert restoration.phi is not None
    assert float(restoration.phi[..., 0, 0]) == 0
    rows, columns = (2 * np.pi * np.fft.fftfreq(n) for n in (h, w))
    law = (4 - 2 * np.cos(rows)[:, None] - 2 * np.cos(columns)) ** (method.power / 2) / method.scale
    np.testing.assert_allclose(certain.reshape(h, w), law, atol=1e-9)


def test_wiener_with_the_power_of_2_is_tikhonov() -> None:
    observation = observe(PeriodicBlur, 2.55)
    wiener = WienerDeconvolution(scale=0.01, power=2).restore(observation).image
    tikhonov = TikhonovDeconvolution(scale=0.01**2 / 0.01).restore(observation).image
    torch.testing.assert_close(wiener, tikhonov)


@pytest.mark.parametrize("row", [row for row in ROWS if row != "richardson-lucy"])
def test_fusions_say_what_they_are(row: str) -> None:
    """φ = q/(|k̂|² + q) is 0 at ω = 0; f is the inverse filter of the completed data; without noise x̂ is A⁺y."""
    observation = observe(PeriodicBlur, 2.55, (12, 15))
    method = get_method(row)
    restoration = method.restore(observation)
    assert restoration.phi is not None
    assert restoration.fidelity is not None
    assert restoration.domain is not None
    assert float(restoration.phi[0, 0, 0, 0]) == 0
    assert 0 < float(restoration.phi.max()) < 1
    torch.testing.assert_close(restoration.domain.synthesis(restoration.fidelity), observation.fidelity)
    quiet = replace(observation, noise=Gaussian(torch.zeros(1, dtype=torch.float64)))
    exact = method.restore(quiet)
    torch.testing.assert_close(exact.image, observation.fidelity)
    assert exact.phi_mean() == 0


@pytest.mark.parametrize("row", ROWS)
def test_frequencies_without_data_are_left_to_the_prior(row: str) -> None:
    """k = (1, 2, 1)/4 takes away the highest frequency of every row: nothing is divided by 0, φ = 1 there, f = 0."""
    kernel = torch.tensor([[[[0.25, 0.5, 0.25]]]], dtype=torch.float64)
    operator = PeriodicBlur(kernel)
    for sigma in (0.0, 2.55):
        y = operator.forward(photograph(12, 16, channels=1))
        noise = Gaussian(torch.tensor([sigma / 255], dtype=torch.float64))
        restoration = get_method(row).restore(Observation(y, operator, noise))
        assert torch.isfinite(restoration.image).all()
        if restoration.phi is not None:
            assert restoration.fidelity is not None
            assert (restoration.phi.expand(1, 1, 12, 16)[..., 8] == 1).all()
            assert (restoration.fidelity[..., 8] == 0).all()


def test_the_border_is_completed_by_the_image_itself() -> None:
    """M K x = A x on the grid of x; w = y where it was seen; the CG solution is the periodic one with w as data."""
    observation = observe(CroppedBlur, 2.55, (16, 21))
    seen = blurred(observation, "test")
    x = photograph(16, 21, channels=1)
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(seen.blur(x)[inner], observation.operator.forward(x))
    torch.testing.assert_close(seen.completed(x)[inner], observation.y)
    assert seen.seen.sum() == 14 * 19
    assert torch.equal(seen.start()[inner], observation.y)
    assert torch.equal(seen.start()[..., 0, 1:-1], observation.y[..., 0, :])
    restoration = TikhonovDeconvolution().restore(observation)
    assert restoration.fidelity is not None
    assert restoration.domain is not None
    lifted = restoration.domain.synthesis(restoration.fidelity)
    torch.testing.assert_close(seen.blur(lifted)[inner], observation.y)
    border = seen.blur(lifted) - seen.blur(restoration.image)
    border[inner] = 0
    torch.testing.assert_close(border, torch.zeros_like(border), rtol=0, atol=1e-3)


def test_differences() -> None:
    x = torch.from_numpy(np.random.RandomState(1).standard_normal((2, 3, 5, 7)))
    v = torch.from_numpy(np.random.RandomState(2).standard_normal((2, 3, 2, 5, 7)))
    matrix = gradient(5, 7)
    for n in (0, 1):
        for c in range(3):
            np.testing.assert_allclose(differences(x)[n, c].numpy().ravel(), matrix @ x[n, c].numpy().ravel())
            np.testing.assert_allclose(gathered(v)[n, c].numpy().ravel(), matrix.T @ v[n, c].numpy().ravel())


@pytest.mark.parametrize("cls", [PeriodicBlur, CroppedBlur])
def test_tv_minimises_like_brute_force(cls: type[PeriodicBlur]) -> None:
    """No more than 2·10⁻⁵ above L-BFGS on the objective, smoothed by so little that it hardly matters; in colour."""
    operator = cls(KERNEL)
    clean = photograph(7, 8)
    observation = Observation(operator.forward(clean), operator, Gaussian(torch.tensor([5 / 255]).double()))
    method = TVDeconvolution(iterations=1000)
    lam = float(method.strength(torch.tensor(5 / 255, dtype=torch.float64)))

    def objective(x: Tensor, smooth: float) -> Tensor:
        steps = torch.stack([x.roll(-1, -2) - x, x.roll(-1, -1) - x])
        variation = (steps.square().sum(dim=(0, 2)) + smooth**2).sqrt().sum()
        return 0.5 * (operator.forward(x) - observation.y).square().sum() + lam * variation

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.from_numpy(flat).view(clean.shape).requires_grad_()
        value = objective(x, 1e-4)
        value.backward()
        return value.item(), x.grad.numpy().ravel()  # type: ignore[union-attr]

    brute = minimize(
        value_and_gradient,
        clean.numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "maxfun": 1500},
    )
    found = method.restore(observation).image
    reference = torch.from_numpy(brute.x).view(clean.shape)
    least_value = float(objective(reference, 0))
    assert float(objective(found, 0)) < least_value + 2e-5
    assert float(objective(found, 0)) < 0.999 * float(objective(clean, 0))
    usual = float(objective(TVDeconvolution().restore(observation).image, 0))
    assert usual < least_value * 1.01, "the default number of rounds is enough"


@pytest.mark.parametrize("alpha", [0.5, 2 / 3, 0.8])
@pytest.mark.parametrize("beta", [1.0, 8.0, 256.0])
def test_least_against_brute_force(alpha: float, beta: float) -> None:
    """On a fine grid there is nothing under the value at w; sign, threshold and limit are right."""
    v = torch.linspace(-3, 3, 241, dtype=torch.float64)
    w = least(v, beta, alpha)
    grid = torch.linspace(-3, 3, 24_001, dtype=torch.float64)[:, None]

    def value(w: Tensor) -> Tensor:
        return w.abs() ** alpha + beta / 2 * (w - v) ** 2

    assert (value(w) <= value(grid).amin(dim=0) + 1e-9).all()
    torch.testing.assert_close(w, -w.flip(0), rtol=0, atol=1e-12)
    kept = w != 0
    assert kept.any()
    assert (~kept).any()
    slope = alpha * w[kept].abs() ** (alpha - 1) * w[kept].sign() + beta * (w[kept] - v[kept])
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-9 * beta)
    assert least(torch.tensor([0.0]), beta, alpha).item() == 0


def test_hyper_laplacian_ends_with_its_last_step() -> None:
    """x̂ solves (β∇ᵀ∇ + λKᵀK) x = λKᵀy + β∇ᵀv with the last β, 181, and v the least for the image before."""
    observation = observe(PeriodicBlur, 2.55)
    method = HyperLaplacian()
    restoration = method.restore(observation)
    a, d = dense(observation), gradient(9, 14)
    x, inverse, beta = observation.y.numpy().ravel(), method.weight, 1.0
    y = x
    while beta <= 256:
        v = least(torch.from_numpy(d @ x), beta, 2 / 3).numpy()
        x = np.linalg.solve(a.T @ a + inverse * beta * d.T @ d, a.T @ y + inverse * beta * d.T @ v)
        beta *= 8**0.5
    np.testing.assert_allclose(restoration.image.numpy().ravel(), x, atol=1e-8)


@pytest.mark.parametrize("cls", [PeriodicBlur, CroppedBlur])
def test_richardson_lucy_steps(cls: type[PeriodicBlur]) -> None:
    """x ← x · (Aᵀ(y/A x) + 1 − Aᵀ1), the likelihood of Poisson counts rises, and x ≥ 0 where y is not."""
    observation = observe(cls, 5.0, (16, 21))
    observation.y[..., 3, 3] = -0.1
    operator, y = observation.operator, observation.y.clamp(min=0)
    x = blurred(observation, "test").start().clamp(min=1e-4)
    ones = operator.adjoint(torch.ones_like(y))
    likelihood = []
    for count in range(6):
        found = RichardsonLucy(iterations=count).restore(observation).image
        torch.testing.assert_close(found, x, rtol=0, atol=1e-6)
        assert found.min() >= 0
        likelihood.append(float((y * operator.forward(x).log() - operator.forward(x)).sum()))
        x = x * (operator.adjoint(y / operator.forward(x)) + 1 - ones)
    assert (np.diff(likelihood) > 0).all()


@pytest.mark.parametrize("sigma", [0.0, 10.0])
def test_bm3d_deblurs_luma_and_two_colours(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed over: opponent colours, σ as it is and the kernel; where σ = 0 the package is not asked."""
    clean = photograph(33, 47)
    operator = PeriodicBlur(KERNEL)
    observation = Observation(operator.forward(clean), operator, Gaussian(torch.tensor([sigma / 255]).double()))
    given = []

    def package(z: np.ndarray, level: float, kernel: np.ndarray, profile: object) -> np.ndarray:
        given.append((z, level, kernel))
        return z

    monkeypatch.setattr(sys.modules[type(get_method("bm3d-deblur")).__module__].bm3d, "bm3d_deblurring", package)
    image = get_method("bm3d-deblur").restore(observation).image
    if sigma == 0:
        assert not given
        torch.testing.assert_close(image, observation.fidelity)
        return
    assert len(given) == 3
    torch.testing.assert_close(image, observation.y)
    luma, level, kernel = given[0]
    assert level == pytest.approx(10 / 255)
    np.testing.assert_array_equal(kernel, KERNEL[0, 0].numpy())
    np.testing.assert_allclose(luma[..., 0] * 3**0.5, observation.y[0].sum(dim=0).numpy(), atol=1e-12)


@pytest.mark.parametrize("row", [*ROWS, "bm3d-deblur"])
def test_better_than_the_blurred_image(row: str) -> None:
    clean = photograph(48, 64)[0].float()
    observation = get_task("deblur[kernel=motion,length=9]").degrade(clean, Key(0, "test", ""))
    assert psnr(get_method(row).restore(observation).image, clean) > psnr(observation.y, clean) + 2


@pytest.mark.parametrize("row", [*ROWS, "bm3d-deblur"])
def test_other_operators_are_refused(row: str) -> None:
    method: Method = get_method(row)
    assert (method.supports(get_task("deblur[border=cropped]")) is None) == (row in CROPPED_TOO)
    assert method.supports(get_task("deblur")) is None
    with pytest.raises(
        ValueError, match=f"{row} does not know the operator Halving: it knows PeriodicBlur, CroppedBlur"
    ):
        method.restore(Halve().degrade(photograph(20, 24)[0].float(), Key(0, "test", "")).without_truth())
