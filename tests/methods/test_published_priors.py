"""Published explicit priors: convex ridge regularisers, fields of experts, total deep variation."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import Tensor

from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from datasets.task import get_task
from methods.registry import get_method
from methods.supervised import _ridge, mfoe
from methods.supervised._descent import minimised
from methods.supervised._filters import FIRST, Filters
from methods.supervised._nested import read_nested
from methods.supervised._published import Published
from methods.supervised._ridge import LARGEST_KNOT, Ridge, ridge_of
from methods.supervised._tdv import BLOCKS, STEPS, Mirrored, _variation, tdv_shapes, variation_of
from methods.supervised.crr import CRR
from methods.supervised.mfoe import Experts, MFoE, envelope, experts_of, projected
from methods.supervised.tdv_color import TDVColor
from methods.supervised.tdv_gray import TDVGray
from methods.supervised.wcrr import WCRR
from tests.methods.denoising import observe, photograph, psnr

CPU = torch.device("cpu")
DOUBLE = torch.float64
NORM = 200.0
"""‖W‖² of the random filters as they are stored, on an image without borders."""
RIDGES = [CRR(), WCRR()]
ALL: list[Published] = [*RIDGES, MFoE(), TDVGray(), TDVColor()]
named = pytest.mark.parametrize("method", ALL, ids=lambda method: method.name)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def parameters(shapes: Mapping[str, tuple[int, ...]], size: float = 0.15) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(shape, generator=generator) * size for name, shape in shapes.items()}


@cache
def ridge(rho: float, sigma: float = 20.0) -> tuple[dict[str, Tensor], Ridge]:
    """A regulariser with random weights whose activations look like learned ones: steep at 0, several slopes."""
    found = parameters(_ridge.SHAPES) | {"mu_": torch.tensor(2.0)}
    grid = torch.linspace(-LARGEST_KNOT, LARGEST_KNOT, 101, dtype=DOUBLE)
    for kind, knots in (("cvx", (0.004, 0.05)), ("ccv", (0.03, 0.2))):
        values = sum(grid.clamp(-k, k) for k in knots)
        found[f"activation_{kind}.coefficients"] = torch.as_tensor(values)[None] + 0.01
    found["spline_scaling.coefficients"] = found["spline_scaling.coefficients"].abs() + 3
    found[FIRST] = Filters.of(found, DOUBLE, CPU).kernels[0] * NORM**0.5
    return found, ridge_of(found, Filters.of(found, DOUBLE, CPU), rho, sigma)


@cache
def experts(sigma: float = 0.1) -> Experts:
    found = parameters(mfoe.SHAPES)
    found |= {"lamb": torch.tensor(1.0), "mu.4.bias": torch.linspace(0, 40, mfoe.EXPERTS)}
    return experts_of(found, Filters.of(found, DOUBLE, CPU), sigma)


def image(height: int, width: int, channels: int = 1, count: int = 1) -> Tensor:
    return torch.rand(count, channels, height, width, dtype=DOUBLE, generator=torch.Generator().manual_seed(2))


def slope_of(energy: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∇ of the sum of the energies, by automatic differentiation."""
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(energy(x).sum(), x)
    return found


# Filters


@pytest.mark.parametrize("size", [(1, 1), (7, 12), (23, 18)], ids=str)
def test_filters_and_their_adjoint(size: tuple[int, int], generator: torch.Generator) -> None:
    filters = ridge(0)[1].filters
    x, h = image(*size), torch.randn(1, 60, *size, dtype=DOUBLE, generator=generator)
    assert float((filters(x) * h).sum()) == pytest.approx(float((x * filters.adjoint(h)).sum()), rel=1e-10)


def test_filters_are_correlations_that_kill_constants() -> None:
    filters = ridge(0)[1].filters
    x = image(31, 29)
    inside = filters(x)[0, :, 6:-6, 6:-6]
    for k in (0, 17, 59):
        expected = correlate2d(x[0, 0].numpy(), filters.responses[k, 0].numpy(), mode="valid")
        torch.testing.assert_close(inside[k], torch.from_numpy(expected))
    torch.testing.assert_close(filters(x + 5)[..., 6:-6, 6:-6], inside[None])


def test_norm_without_borders_is_one() -> None:
    filters = ridge(0)[1].filters
    responses = torch.fft.fft2(filters.responses, s=(90, 64)).abs().square().sum(dim=0)
    assert 0.98 < float(responses.max()) < 1.001
    found = ridge(0)[0]
    other = Filters.of(found, DOUBLE, CPU, norm=4.0)
    zero_mean = found[FIRST].double() - found[FIRST].double().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(other.kernels[0], zero_mean / 2)


# Descent


def test_descent_solves_a_linear_system(generator: torch.Generator) -> None:
    root = torch.randn(12, 12, dtype=DOUBLE, generator=generator)
    matrix, right = root @ root.T + torch.eye(12, dtype=DOUBLE), torch.randn(12, dtype=DOUBLE, generator=generator)
    step = 1 / float(torch.linalg.eigvalsh(matrix)[-1])
    found = minimised(lambda x: matrix @ x - right, torch.zeros(12, dtype=DOUBLE), step, 1e-9)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, right), rtol=0, atol=1e-6)
    assert torch.equal(minimised(torch.zeros_like, right, step, 1e-9), right), "nothing moves at a stationary point"


# Ridge regularisers


def authors_activation(found: Mapping[str, Tensor], rho: float, at: np.ndarray) -> np.ndarray:
    """The spline as its authors constrain and evaluate it: 101 knots, interpolated, constant outside."""
    step, total = 2 * LARGEST_KNOT / 100, np.zeros(101)
    for kind, weight in (("cvx", float(found["mu_"].exp())), ("ccv", -rho)):
        slopes = np.diff(found[f"activation_{kind}.coefficients"][0].double().numpy()) / step
        slopes = np.clip(slopes, 0, 1)
        slopes[[0, -1]] = 0
        values = np.concatenate([[0], np.cumsum(slopes) * step])
        total += weight * (values - values[::-1]) / 2
    return np.interp(at, np.linspace(-LARGEST_KNOT, LARGEST_KNOT, 101), total)


@pytest.mark.parametrize("rho", [0.0, 1.0])
@pytest.mark.parametrize("sigma", [0.5, 12.0, 30.0])
def test_activation_is_the_authors_spline(rho: float, sigma: float) -> None:
    found, made = ridge(rho, sigma)
    knots = found["spline_scaling.coefficients"].double().numpy()
    scales = np.exp([np.interp(sigma, np.linspace(0, 30, 11), row) for row in knots]) / (sigma + 1e-5)
    np.testing.assert_allclose(made.scales.flatten(), scales, rtol=1e-6)
    u = torch.linspace(-0.15, 0.15, 999, dtype=DOUBLE).expand(1, 60, 1, -1) / made.scales
    expected = authors_activation(found, rho, np.linspace(-0.15, 0.15, 999)) / scales[:, None]
    np.testing.assert_allclose(made.derivative(u)[0, :, 0], expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert len(made.turns) <= 4


@pytest.mark.parametrize("rho", [0.0, 1.0])
@pytest.mark.parametrize("size", [(9, 14), (21, 16)], ids=str)
def test_gradient_is_that_of_the_energy(rho: float, size: tuple[int, int]) -> None:
    made = ridge(rho)[1]
    x = image(*size, count=2)
    torch.testing.assert_close(made.gradient(x), slope_of(made.energy, x))
    assert (made.energy(torch.zeros_like(x)) == 0).all()
    assert (made.energy(x) > 0).all()


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_energy_is_as_convex_as_it_should_be(rho: float) -> None:
    """−ρ ‖a − b‖² ≤ ⟨∇R(a) − ∇R(b), a − b⟩ ≤ μ ‖a − b‖², a − b away from the borders: there ‖W‖ may be over 1."""
    made = ridge(rho)[1]
    generator = torch.Generator().manual_seed(3)
    for size in (0.001, 0.01, 0.1, 1.0, 10.0):
        a = image(24, 22)
        b = a.clone()
        b[..., 6:-6, 6:-6] += size * torch.randn(12, 10, dtype=DOUBLE, generator=generator)
        between = float(((made.gradient(a) - made.gradient(b)) * (a - b)).sum() / (a - b).square().sum())
        assert -rho - 1e-9 <= between <= made.mu


def test_diagonal_of_the_weighted_filters() -> None:
    """d_i = ⟨W e_i, D W e_i⟩ inside, and Wᵀ D W x = ∇R(x)."""
    made = ridge(1)[1]
    x = image(25, 22)
    u = made.filters(x)
    weights = made.derivative(u) / u
    torch.testing.assert_close(made.filters.adjoint(weights * u), made.gradient(x))
    d = made.diagonal(x)
    for place in ((12, 11), (8, 13)):
        impulse = torch.zeros_like(x)
        impulse[0, 0, place[0], place[1]] = 1
        assert float(d[0, 0, place[0], place[1]]) == pytest.approx(
            float((weights * made.filters(impulse).square()).sum()), rel=1e-9
        )
    assert torch.isfinite(made.diagonal(torch.zeros_like(x))).all(), "flat: u = 0 everywhere"


@pytest.fixture
def random_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every row finds random weights of its layout."""
    torch.save({"state_dict": ridge(0)[0], "epoch": 1}, tmp_path / "ridge.pth")
    for channels in (1, 3):
        found = parameters(tdv_shapes(channels), 0.05) | {"T": torch.tensor(0.2), "lmbda": torch.tensor(0.4)}
        torch.save({"model": found, "config": {"S": 10}}, tmp_path / f"tdv{channels}.pth")
    monkeypatch.setattr(_ridge.RidgeRegularised, "weights_here", lambda self: tmp_path / "ridge.pth")
    monkeypatch.setattr(CRR, "norm", 2 * NORM)
    monkeypatch.setattr(TDVGray, "weights_here", lambda self: tmp_path / "tdv1.pth")
    monkeypatch.setattr(TDVColor, "weights_here", lambda self: tmp_path / "tdv3.pth")


# Experts


def test_projection_onto_the_ball(generator: torch.Generator) -> None:
    """p is in the ball, and no point of the ball is in the direction of v − p: ⟨v − p, q − p⟩ ≤ 0."""
    v = torch.randn(500, 4, dtype=DOUBLE, generator=generator) * 2
    p = projected(v)
    assert float(p.abs().sum(dim=1).max()) <= 1 + 1e-12
    inside = v.abs().sum(dim=1) <= 1
    assert inside.any()
    torch.testing.assert_close(p[inside], v[inside])
    for corner in (*torch.eye(4, dtype=DOUBLE), *-torch.eye(4, dtype=DOUBLE)):
        assert float(((v - p) * (corner - p)).sum(dim=1).max()) <= 1e-12
    torch.testing.assert_close(slope_of(envelope, v), p)


@pytest.mark.parametrize("size", [(9, 14), (17, 12)], ids=str)
def test_gradient_of_the_experts(size: tuple[int, int]) -> None:
    x = image(*size, count=2)
    torch.testing.assert_close(experts().gradient(x), slope_of(experts().energy, x), rtol=1e-6, atol=1e-9)
    assert (experts().scales > 1e-6).any()


# Total deep variation


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (13, 8), (16, 9)], ids=str)
@pytest.mark.parametrize(("side", "stride"), [(1, 1), (3, 1), (7, 2)])
def test_mirrored_correlation_and_its_adjoint(
    size: tuple[int, int], side: int, stride: int, generator: torch.Generator
) -> None:
    kernel = torch.randn(4, 2, side, side, dtype=DOUBLE, generator=generator)
    operator, x = Mirrored(kernel, stride), image(*size, channels=2)
    made = operator(x)
    wide = np.pad(x[0].numpy(), ((0, 0), *[(side // 2, side // 2)] * 2), mode="symmetric")
    for k in range(4):
        whole = sum(correlate2d(wide[c], kernel[k, c].numpy(), mode="valid") for c in (0, 1))
        torch.testing.assert_close(made[0, k], torch.from_numpy(np.ascontiguousarray(whole[::stride, ::stride])))
    h = torch.randn(made.shape, dtype=DOUBLE, generator=generator)
    assert float((made * h).sum()) == pytest.approx(float((x * operator.adjoint(h, size)).sum()), rel=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(5, 3), (13, 18)], ids=str)
def test_gradient_of_deep_variation(channels: int, size: tuple[int, int]) -> None:
    """The chain rule written out, against automatic differentiation of the energy; sizes that no scale divides."""
    variation = variation_of(parameters(tdv_shapes(channels)), DOUBLE, CPU)
    x = image(*size, channels=channels, count=2)
    torch.testing.assert_close(variation.gradient(x), slope_of(variation.energy, x))
    assert len(variation.blocks) == BLOCKS


@pytest.mark.parametrize("method", [TDVGray(), TDVColor()], ids=lambda method: method.name)
@pytest.mark.parametrize("channels", [1, 3])
def test_last_step_is_a_fusion(method: TDVGray | TDVColor, channels: int, random_weights: None) -> None:
    """Ten steps written out for one image; φ = 1/(1 + λ) where there is noise and 0 where there is none."""
    observation = observe(photograph(11, 14, channels), 40)
    restoration = method.restore(Observation.cat([observation, observe(photograph(11, 14, channels), 0)]))
    tau, weight, variation = _variation(method.weights_here(), method.channels, DOUBLE, CPU)
    assert (tau, weight) == pytest.approx((0.2 / STEPS, 0.4 / STEPS))
    seen = observation.y.reshape(-1, 1, 11, 14) if method.channels == 1 else observation.y.expand(-1, 3, -1, -1)
    scale = 25 / 40 / (3 / channels if method.channels == 3 else 1) ** 0.5
    x = scale * seen
    for _ in range(10):
        x = (x - tau * variation.gradient(x) + weight * scale * seen) / (1 + weight)
    torch.testing.assert_close(restoration.image[:1], (x / scale).view(1, channels, -1, 11, 14).mean(dim=2))
    torch.testing.assert_close(restoration.recompose(), restoration.image)
    assert torch.equal(restoration.image[1:], photograph(11, 14, channels))
    assert restoration.phi is not None
    assert restoration.phi[0].unique().tolist() == pytest.approx([1 / (1 + 0.04)])
    assert restoration.phi[1].unique().tolist() == [0]


# What they share


def test_ridges_at_more_noise_and_none(random_weights: None) -> None:
    """At σ = 60 the result is twice that of half the image with σ = 30; each image of a batch has its own σ."""
    method = CRR(tolerance=1e-7)
    loud = observe(photograph(12, 15), 60)
    half = replace(loud, y=loud.y / 2, noise=Gaussian(torch.full((1,), 30 / 255, dtype=DOUBLE)))
    torch.testing.assert_close(method.restore(loud).image, 2 * method.restore(half).image)
    clean = observe(photograph(12, 15), 0)
    batch = method.restore(Observation.cat([clean, loud]))
    assert torch.equal(batch.image[:1], clean.y)
    torch.testing.assert_close(batch.image[1:], method.restore(loud).image)
    for c in range(3):
        alone = replace(loud, y=loud.y[:, c : c + 1], truth=None)
        torch.testing.assert_close(batch.image[1:, c : c + 1], method.restore(alone).image)


def test_a_checkpoint_without_its_part_is_one_line(tmp_path: Path) -> None:
    torch.save({"weights": {}}, tmp_path / "other.pth")
    with pytest.raises(
        SuiteError, match=r"checkpoint with a state dict under 'state_dict': there is nothing"
    ) as caught:
        read_nested(tmp_path / "other.pth", "state_dict")
    assert "\n" not in str(caught.value)
    torch.save({"model": {"a": 3}}, tmp_path / "number.pth")
    with pytest.raises(SuiteError, match="more than tensors"):
        read_nested(tmp_path / "number.pth", "model")


@pytest.mark.parametrize(
    ("entry", "shapes", "load"),
    [
        ("state_dict", _ridge.SHAPES, _ridge._found),
        ("state_dict", mfoe.SHAPES, mfoe._found),
        ("model", tdv_shapes(1), lambda file: _variation(file, 1, torch.float32, CPU)),
        ("model", tdv_shapes(3), lambda file: _variation(file, 3, torch.float32, CPU)),
    ],
    ids=["ridge", "mfoe", "tdv-gray", "tdv-color"],
)
def test_another_layout_is_one_line(
    entry: str, shapes: dict[str, tuple[int, ...]], load: Callable[[Path], object], tmp_path: Path
) -> None:
    right = parameters(shapes)
    torch.save({entry: right, "epoch": 3, "L": torch.tensor(1.0, requires_grad=True)}, tmp_path / "right.pth")
    load(tmp_path / "right.pth")
    last = next(reversed(right))
    torch.save({entry: right | {last: torch.zeros(7, 5)}}, tmp_path / "wrong.pth")
    with pytest.raises(SuiteError, match=rf"wrong\.pth is not a .*'{last}' has the shape \(7, 5\)") as caught:
        load(tmp_path / "wrong.pth")
    assert "\n" not in str(caught.value)


@named
def test_absent_weights_are_a_reason(method: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(fetch.MIRROR, raising=False)
    monkeypatch.setenv(fetch.CACHE, str(tmp_path))
    reason = method.supports(get_task("denoise", sigma="25"))
    assert reason is not None
    assert method.file in reason
    assert get_method(method.name) == method


# With the published weights


ORDER = sorted(map(str, range(68)))
"""How the ridge regularisers' repository sorts BSD68: 0, 1, 10, 11, …"""


@cache
def authors_noise(last: int) -> dict[tuple[int, int], tuple[Tensor, Tensor]]:
    """Level and number N → `noisy_image/<level>/test_noisy_N.npy` of the repository, bit for bit, and the clean image.

    Up to the first three of level `last`. They were drawn in one go, so all before must be drawn.
    """
    images = [entry.load()[None] for entry in get_dataset("bsd68").entries()]
    generator, found = torch.Generator().manual_seed(42), {}
    for level in range(5, last + 1, 5):
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        for number, index in enumerate(ORDER[: 3 if level == last else None], start=1):
            clean = images[int(index)]
            noisy = clean + level / 255 * torch.empty_like(clean).normal_(generator=generator)
            if number <= 3:
                found[level, number] = noisy, clean
    return found


def on_authors_noise(method: CRR | WCRR, level: int, number: int, square: slice) -> float:
    """PSNR as the authors have it, not clipped and not rounded."""
    noisy, clean = (each[..., square, square] for each in authors_noise(level)[level, number])
    return psnr(method.restore(Observation(noisy, Identity(), Gaussian(torch.tensor([level / 255])))).image, clean)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("method", "level", "authors"),
    [(CRR(), 5, 34.7421), (WCRR(), 5, 35.0376), (CRR(), 25, 25.8990), (WCRR(), 25, 26.2032)],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_square_of_the_authors_noise(method: CRR | WCRR, level: int, authors: float) -> None:
    """What the authors' own program gives for the same pixels (64×64 of their first noisy image), to 0.02 dB."""
    assert on_authors_noise(method, level, 1, slice(100, 164)) == pytest.approx(authors, abs=0.02)


def published_psnr(name: str, level: int, number: int) -> float:
    """PSNR of an image in the authors' table: its rows are shuffled, and its noise is another draw."""
    rows = sorted(map(str, range(68)))
    random.Random(1).shuffle(rows)
    table = f"axgoujon-weakly_convex_ridge_regularizer/denoising/test_{name}_NN.csv"
    with open(fetch.local_path(table), newline="") as lines:
        found = {(int(row["sigma"]), int(row["image_id"])): float(row["psnr"]) for row in csv.DictReader(lines)}
    return found[level, rows.index(ORDER[number - 1])]


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("method", RIDGES, ids=lambda method: method.name)
def test_the_authors_table(method: CRR | WCRR) -> None:
    """An image to 0.05 dB: the noise of the table cannot be made again, and a draw moves an image by some 0.02 dB."""
    found = on_authors_noise(method, 25, 1, slice(None))
    assert found == pytest.approx(published_psnr(method.name.upper(), 25, 1), abs=0.05)


@pytest.mark.realdata
@pytest.mark.parametrize("method", RIDGES, ids=lambda method: method.name)
def test_minimiser_is_a_fusion(method: CRR | WCRR) -> None:
    """y − x̂ = ∇R(x̂), and φ d of a pixel is what the filters weigh it with: 0 ≤ φ < 1, less of it on edges."""
    observation = observe(photograph(30, 26, 1), 25)
    restoration = replace(method, tolerance=1e-8).restore(observation)
    found = _ridge._found(method.weights_here())
    prior = ridge_of(found, _ridge._filters(method.weights_here(), method.norm, DOUBLE, CPU), method.rho, 25.0)
    x = restoration.image
    torch.testing.assert_close(observation.y - x, prior.gradient(x), rtol=0, atol=1e-4)
    assert restoration.phi is not None
    torch.testing.assert_close(restoration.phi, (d := prior.diagonal(x)) / (1 + d), rtol=0, atol=1e-4)
    assert 0 <= float(restoration.phi.min()) <= float(restoration.phi.max()) < 1


@pytest.mark.realdata
@named
def test_bfloat16_hardly_matters(method: Published) -> None:
    observation = observe(photograph(24, 26, 3).float(), 25)
    exact, rough = (each.restore(observation) for each in (method, replace(method, precision="bfloat16")))
    assert rough.image.dtype == torch.float32
    assert 0 < float((rough.image - exact.image).square().mean().sqrt()) < 0.01
    assert rough.decoupled == method.decoupled
