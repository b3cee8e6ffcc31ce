"""Super-resolution: the singular values of a reduction, the fusion on range and null space, and published figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from benchmarks.scores.metrics.psnr import PSNR
from datasets.blur import BlurDecimation
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.kernels import gaussian
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Operator
from datasets.resize import BicubicReduction, resize
from datasets.task import Key, get_task
from methods.base import Method
from methods.classic import anchored_regression
from methods.classic._anchored import detail
from methods.classic._gradient import divergence, gradient
from methods.classic._reduction import RangeAndNull, enlarged, singular
from methods.classic.anchored_regression import TABLE, AnchoredRegression, fitted, symmetric_detail
from methods.classic.back_projection import BackProjection
from methods.classic.bicubic import Bicubic
from methods.classic.lanczos import Lanczos
from methods.classic.tv_super_resolution import TVSuperResolution
from tests.methods.denoising import photograph

SIZES = [(5, 7), (8, 6), (9, 11)]
SPECS = ["super-resolve[scale=2]", "super-resolve[scale=3]", "super-resolve[scale=4,sigma=5]"]


def kernels(*widths: float) -> Tensor:
    """Kernels of several widths and one size, (N,1,5,5)."""
    found = torch.from_numpy(np.stack([gaussian(4)[14:19, 14:19] ** (1 / width) for width in widths]))[:, None]
    return found / found.sum(dim=(2, 3), keepdim=True)


def operators(scale: int) -> dict[str, Operator]:
    return {"bicubic": BicubicReduction(scale), "decimation": BlurDecimation(kernels(0.02, 0.03), scale)}


def observe(operator: Operator, x: Tensor, sigma: float = 0) -> Observation:
    noise = Gaussian(torch.full((len(x),), sigma / 255, dtype=x.dtype))
    return Observation(noise.sample(operator.forward(x), np.random.RandomState(0)), operator, noise)


def images(height: int, width: int, channels: int = 3) -> Tensor:
    """Two crops of a photograph in double precision."""
    whole = photograph(height, 2 * width, channels)
    return torch.cat([whole[..., :width], whole[..., width:]])


def each(function: Any) -> Any:
    for name, values in (("kind", ["bicubic", "decimation"]), ("scale", [2, 3, 4]), ("size", SIZES)):
        function = pytest.mark.parametrize(name, values)(function)
    return function


@each
def test_singular_value_decomposition(kind: str, scale: int, size: tuple[int, int]) -> None:
    """Uᵀ and Vᵀ have orthonormal rows, and A = U diag(s) Vᵀ."""
    operator = operators(scale)[kind]
    x = images(scale * size[0], scale * size[1])
    observation = observe(operator, x)
    parts = singular(observation, "test")
    c = torch.from_numpy(np.random.RandomState(1).randn(*observation.y.shape))
    torch.testing.assert_close(parts.of_image(parts.to_image(c)), c, rtol=0, atol=1e-9)
    torch.testing.assert_close((parts.to_image(c) * x).sum(), (c * parts.of_image(x)).sum(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(parts.of_data(c).square().sum(), c.square().sum(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(parts.of_data(operator.forward(x)), parts.values * parts.of_image(x), rtol=0, atol=1e-9)
    domain = RangeAndNull(parts, size, (x.shape[-2], x.shape[-1]))
    torch.testing.assert_close(domain.synthesis(domain.analysis(x)), x, rtol=0, atol=1e-12)


@each
def test_data_step_solves_its_normal_equations(kind: str, scale: int, size: tuple[int, int]) -> None:
    operator = operators(scale)[kind]
    observation = observe(operator, images(scale * size[0], scale * size[1]), 10)
    parts, g = singular(observation, "test"), images(scale * size[0], scale * size[1]).flip(-1)
    ratio = torch.tensor([0.3, 0.02], dtype=g.dtype).view(-1, 1, 1, 1)
    x = parts.data_step(observation.y, g, ratio)
    left = operator.adjoint(operator.forward(x) - observation.y) + ratio * (x - g)
    assert left.abs().max() < 1e-10
    exact = parts.data_step(observation.y, g, 0 * ratio)
    torch.testing.assert_close(operator.forward(exact), observation.y, rtol=0, atol=1e-9)
    still = exact - g
    torch.testing.assert_close(operator.lift(operator.forward(still)), still, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), *SIZES])
def test_bicubic_is_imresize_and_the_adjoint(scale: int, size: tuple[int, int]) -> None:
    x = images(scale * size[0], scale * size[1])
    observation = observe(BicubicReduction(scale), x)
    y, restoration = observation.y, Bicubic().restore(observation)
    torch.testing.assert_close(restoration.image, resize(y, *x.shape[-2:]), rtol=0, atol=1e-10)
    torch.testing.assert_close(restoration.image, scale**2 * observation.operator.adjoint(y), rtol=0, atol=1e-10)
    assert restoration.phi is not None
    assert restoration.phi.min() >= 0
    assert restoration.phi.max() <= 1
    flat = Bicubic().restore(observe(BicubicReduction(scale), torch.full_like(x, 0.3)))
    torch.testing.assert_close(flat.image, torch.full_like(x, 0.3), rtol=0, atol=1e-10)


@pytest.mark.parametrize("scale", [2, 3])
def test_declared_reliance_of_bicubic_is_the_implied_one(scale: int) -> None:
    """φ and g are fixed: 1 − φ is what follows of f, on average the trace of x̂'s response to f over the pixels."""
    x = images(4 * scale, 5 * scale, 1)[:1]
    observation = observe(BicubicReduction(scale), x)
    operator = observation.operator
    basis = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape[1:])
    moved = torch.stack([resize(operator.forward(one[None]), *x.shape[-2:])[0] for one in basis])
    trace = (moved * basis).sum()
    mean = Bicubic().restore(observation).phi_mean()
    assert mean is not None
    assert float(mean) == pytest.approx(1 - float(trace) / x.numel(), abs=1e-9)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_back_projection_is_the_limit_of_its_steps(scale: int) -> None:
    """x ← x + B(y − A x) with bicubic enlargement for B, from the Lanczos image and from the bicubic one."""
    x = images(7 * scale, 9 * scale)
    observation = observe(BicubicReduction(scale), x)
    for start in ("bicubic", "lanczos"):
        step = enlarged(observation, start, "test")
        for _ in range(90):
            step = step + resize(observation.y - observation.operator.forward(step), *x.shape[-2:])
        restoration = BackProjection(start=start).restore(observation)
        torch.testing.assert_close(restoration.image, step, rtol=0, atol=1e-7)
        mean = restoration.phi_mean()
        assert mean is not None
        torch.testing.assert_close(mean, torch.full_like(mean, 1 - 1 / scale**2))
    lifted = observation.fidelity
    torch.testing.assert_close(BackProjection(start="bicubic").restore(observation).image, lifted, rtol=0, atol=1e-9)


@each
def test_back_projection_keeps_the_prior_where_the_data_are_blind(kind: str, scale: int, size: tuple[int, int]) -> None:
    operator = operators(scale)[kind]
    observation = observe(operator, images(scale * size[0], scale * size[1]))
    restoration = BackProjection().restore(observation)
    torch.testing.assert_close(operator.forward(restoration.image), observation.y, rtol=0, atol=1e-9)
    parts, g = singular(observation, "test"), enlarged(observation, "lanczos", "test")
    moved = restoration.image - g
    torch.testing.assert_close(parts.to_image(parts.of_image(moved)), moved, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["bicubic", "decimation"])
def test_back_projection_with_noise_is_a_posterior_mean(kind: str) -> None:
    """The stationary point of ‖A x − y‖²/σ² + ‖x − g‖²/τ², and φ = σ²/(σ² + a²τ²)."""
    operator, sigma, spread = operators(2)[kind], 10 / 255, 0.07
    observation = observe(operator, images(18, 22), 10)
    restoration = BackProjection(spread=spread).restore(observation)
    g = enlarged(observation, "lanczos", "test")
    pull = operator.adjoint(operator.forward(restoration.image) - observation.y) / sigma**2
    torch.testing.assert_close(pull, (g - restoration.image) / spread**2, rtol=0, atol=1e-6)
    a = singular(observation, "test").values
    assert restoration.phi is not None
    expected = (sigma**2 / (sigma**2 + a.square() * spread**2)).expand(2, -1, -1, -1)
    torch.testing.assert_close(restoration.phi[..., : a[0].numel()], expected.flatten(2))
    assert (restoration.phi[..., a[0].numel() :] == 1).all()


@pytest.mark.parametrize("kind", ["bicubic", "decimation"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlargement_puts_pixels_where_they_were(kind: str, scale: int) -> None:
    """A long wave, reduced and enlarged, is where it was; pixels of a decimation without blur come back untouched."""
    columns = torch.arange(24 * scale, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * columns / (24 * scale) + 0.3).expand(1, 1, 12 * scale, -1)
    point = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    point[..., 1, 1] = 1
    operator = {"bicubic": BicubicReduction(scale), "decimation": BlurDecimation(point, scale)}[kind]
    observation = observe(operator, wave)
    margin = 4 * scale  # where reflection bends the wave
    for kernel in ("bicubic", "lanczos"):
        found = enlarged(observation, kernel, "test")
        away = (found - wave)[..., margin:-margin].abs().max()
        assert away < (0.006 if scale == 2 else 0.012)
        if kind == "decimation":
            torch.testing.assert_close(found[..., ::scale, ::scale], observation.y, rtol=0, atol=1e-12)


def test_lanczos_is_pillows_inside() -> None:
    observation = observe(BicubicReduction(3), images(33, 48, 1))
    ours = Lanczos().restore(observation).image[0, 0].numpy()
    small = Image.fromarray(observation.y[0, 0].numpy().astype(np.float32))
    theirs = np.array(small.resize((48, 33), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(ours[12:-12, 12:-12], theirs[12:-12, 12:-12], rtol=0, atol=1e-6)


def test_divergence_is_minus_the_adjoint_of_the_gradient() -> None:
    random = np.random.RandomState(0)
    x = torch.from_numpy(random.randn(2, 3, 7, 5))
    p = torch.from_numpy(random.randn(2, 2, 3, 7, 5))
    torch.testing.assert_close((gradient(x) * p).sum(), -(x * divergence(p)).sum(), rtol=1e-12, atol=1e-12)
    for _ in range(200):
        x = -divergence(gradient(x / x.norm()))
    assert x.norm() <= 8


def variation(x: Tensor) -> Tensor:
    """Σ_i |∇x|_i of every image."""
    return gradient(x).square().sum(dim=(1, 2)).sqrt().sum(dim=(1, 2))


@pytest.mark.parametrize("kind", ["bicubic", "decimation"])
@pytest.mark.parametrize("scale", [2, 3])
def test_total_variation_is_least_among_what_explains_the_data(kind: str, scale: int) -> None:
    operator = operators(scale)[kind]
    observation = observe(operator, images(8 * scale, 9 * scale))
    x = TVSuperResolution(iterations=800).restore(observation).image
    torch.testing.assert_close(operator.forward(x), observation.y, rtol=0, atol=1e-9)
    parts, least = singular(observation, "test"), variation(x)
    random = torch.Generator().manual_seed(0)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(10):
            other = size * torch.randn(x.shape, generator=random, dtype=x.dtype)
            other = x + other - parts.to_image(parts.of_image(other))
            assert (variation(other) > least * (1 - 1e-5)).all()
    assert (least < 0.97 * variation(BackProjection().restore(observation).image)).all()
    # The default's steps are nearly there.
    assert (variation(TVSuperResolution().restore(observation).image) < 1.05 * least).all()


def test_total_variation_with_noise_is_stationary() -> None:
    """No image near it, in any of several directions, has a lower objective."""
    operator = BicubicReduction(2)
    observation = observe(operator, images(20, 24), 15)
    method = TVSuperResolution(iterations=1000)
    x = method.restore(observation).image
    lam = method.strength * 15 / 255

    def objective(image: Tensor) -> Tensor:
        residual = (operator.forward(image) - observation.y).square().sum(dim=(1, 2, 3)) / 2
        return residual + lam * variation(image)

    least = objective(x)
    random = torch.Generator().manual_seed(0)
    for size in (1e-4, 1e-3, 1e-2):
        for direction in (
            torch.randn(x.shape, generator=random, dtype=x.dtype),
            x.mean() - x,
            observation.fidelity - x,
        ):
            for sign in (-1, 1):
                assert (objective(x + sign * size * direction) > least * (1 - 1e-6)).all()


@pytest.mark.parametrize("method", [Bicubic(), Lanczos(), BackProjection(), TVSuperResolution()], ids=lambda m: m.name)
def test_constants_come_back(method: Method) -> None:
    for kind, operator in operators(2).items():
        if kind == "bicubic" or method.name != "bicubic":
            flat = torch.full((2, 3, 14, 18), 0.6, dtype=torch.float64)
            image = method.restore(observe(operator, flat)).image
            torch.testing.assert_close(image, flat, rtol=0, atol=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_order_of_the_rows(spec: str) -> None:
    task = get_task(spec)
    o = task.degrade(photograph(96, 96, top=380, left=250)[0].float(), Key(0, "test", "a"))
    assert o.truth is not None
    clean = o.truth.clean
    methods = [Bicubic(), Lanczos(), BackProjection(), TVSuperResolution()]
    error = {m.name: float((m.restore(o.without_truth()).image - clean).square().mean()) for m in methods}
    assert error["tv-super-resolution"] < error["back-projection"] < error["lanczos"] < error["bicubic"]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_maps_of_anchored_regression_pixel_by_pixel(scale: int) -> None:
    """The nearest anchor's map takes the centred patch around a pixel of y to the s×s pixels in its place."""
    random = np.random.RandomState(scale)
    anchors = torch.from_numpy(random.randn(5, 49))
    anchors = anchors / anchors.norm(dim=1, keepdim=True)
    maps, y = torch.from_numpy(random.randn(5, 49, scale**2)), images(6, 9)
    guide = y.mean(dim=1, keepdim=True)
    found = detail(y, guide, anchors, maps).numpy()
    line = np.exp(-((np.arange(7) - 3) ** 2) / (2 * 1.5**2))
    for n, i, j in np.ndindex(2, 6, 9):
        patches = np.pad(torch.cat([y, guide], dim=1)[n].numpy(), ((0, 0), (3, 3), (3, 3)), mode="edge")
        patches = patches[:, i : i + 7, j : j + 7]
        patches = patches - patches.mean(axis=(1, 2), keepdims=True)
        k = np.abs(anchors.numpy() @ (patches[3] * np.outer(line, line)).ravel()).argmax()
        for c in range(3):
            block = (patches[c].ravel() @ maps[k].numpy()).reshape(scale, scale)
            there = found[n, c, scale * i : scale * (i + 1), scale * j : scale * (j + 1)]
            np.testing.assert_allclose(there, block, rtol=0, atol=1e-10)


def test_symmetries_of_anchored_regression() -> None:
    """An image that is turned or mirrored gives the turned or mirrored result; a constant gives nothing."""
    anchors, maps = fitted(3)
    y = images(9, 12).float()
    straight = symmetric_detail(y, anchors, maps)
    torch.testing.assert_close(symmetric_detail(y.flip(-1), anchors, maps), straight.flip(-1), rtol=0, atol=1e-5)
    torch.testing.assert_close(symmetric_detail(y.mT, anchors, maps), straight.mT, rtol=0, atol=1e-5)
    assert symmetric_detail(torch.full((1, 3, 9, 9), 0.4), anchors, maps).abs().max() < 1e-5


def test_table_of_anchored_regression(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert TABLE.stat().st_size < 1.5e6
    assert TABLE.with_suffix(".md").is_file()
    for scale in (2, 3, 4):
        anchors, maps = fitted(scale)
        assert anchors.shape[1] == 49
        assert maps.shape == (len(anchors), 49, scale**2)
        torch.testing.assert_close(anchors.norm(dim=1), torch.ones(len(anchors)), rtol=0, atol=2e-3)
    fitted.cache_clear()
    monkeypatch.setattr(anchored_regression, "TABLE", tmp_path / "none.safetensors")
    with pytest.raises(SuiteError) as error:
        fitted(2)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_anchored_regression_explains_the_data_and_is_better_than_bicubic(scale: int) -> None:
    task = get_task("super-resolve", scale=scale)
    o = task.degrade(photograph(96, 96).float()[0], Key(0, "test", "a"))
    assert o.truth is not None
    clean = o.truth.clean
    image = AnchoredRegression().restore(o.without_truth()).image
    torch.testing.assert_close(o.operator.forward(image), o.y, rtol=0, atol=1e-5)
    bicubic = Bicubic().restore(o.without_truth()).image
    assert (image - clean).square().mean() < 0.85 * (bicubic - clean).square().mean()


PUBLISHED = {"set5": (33.66, 30.39, 28.42), "set14": (30.24, 27.55, 26.00)}
"""PSNR of luma at ×2, ×3 and ×4 without as many pixels at the borders, of bicubic enlargement, in every paper since
R. Timofte, V. De Smet and L. Van Gool, "A+: Adjusted Anchored Neighborhood Regression for Fast Super-Resolution",
ACCV 2014."""


@pytest.mark.realdata
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures_of_bicubic(name: str) -> None:
    for scale, published in zip((2, 3, 4), PUBLISHED[name], strict=True):
        task, metric = get_task("super-resolve", scale=scale), PSNR(channel="y", crop=scale)
        found = []
        for entry in get_dataset(name).entries():
            o = task.degrade(entry.load(), Key(0, name, entry.name))
            assert o.truth is not None
            image = (Bicubic().restore(o.without_truth()).image.clamp(0, 1) * 255).round() / 255
            found.append(float(metric.score(metric.prepare(o.truth.clean, o.mask), image)))
        assert np.mean(found) == pytest.approx(published, abs=0.02)
