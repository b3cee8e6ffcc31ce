"""Implied reliance against matrices, closed forms and the φ of fusions; SURE against the true error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

import methods.classic.nlm
from bigprior.domains import LumaChroma
from bigprior.fusion import Restoration
from bigprior.implied import WINDOW, implied_reliance, lattice, random_signs, sure
from datasets.catalog import METHODS
from datasets.dataset import get_dataset
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking
from datasets.task import Key, get_task
from methods.classic._neighbours import Neighbours, Offset, average
from methods.classic.local_wiener import LocalWiener, local_moments
from methods.classic.nlm import NonLocalMeans
from methods.registry import any_setting, get_method, to_be_given
from tests.methods.denoising import observe, photograph

Restore = Callable[[Observation], Restoration]


def noisy(*size: int, sigma: float = 25, channels: int = 3) -> Observation:
    return observe(photograph(*size, channels), sigma)


def linear(filtered: Callable[[Tensor], Tensor]) -> Restore:
    return lambda observation: Restoration(filtered(observation.y))


def exact_reliance(filtered: Callable[[Tensor], Tensor], shape: torch.Size) -> Tensor:
    """1 minus the diagonal of the matrix of a linear filter, in the shape (1,C,H,W) of its images."""
    pulses = torch.eye(shape.numel(), dtype=torch.float64).view(-1, *shape[1:])
    answers = torch.cat([filtered(pulse[None]) for pulse in pulses])
    return 1 - answers.flatten(1).diagonal().view(shape)


def local_mean(values: Tensor) -> Tensor:
    """What a map shows of values per number (N,C,H,W)."""
    return avg_pool2d(values.mean(1, keepdim=True), WINDOW, 1, WINDOW // 2, count_include_pad=False)


def blur(side: int) -> Callable[[Tensor], Tensor]:
    """A zero-padded, place-dependent blur: rows of the image are weighted from 0.5 to 1.5."""
    kernel = torch.rand(1, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / side**2

    def apply(y: Tensor) -> Tensor:
        n, c, h, w = y.shape
        weight = torch.linspace(0.5, 1.5, h, dtype=y.dtype)[:, None]
        return conv2d(y.reshape(n * c, 1, h, w), kernel.to(y), padding=side // 2).view(y.shape) * weight

    return apply


@pytest.mark.parametrize("n", [1, 2, 5, 8, 13, 16])
def test_the_probes_move_every_number_once(n: int) -> None:
    colours = lattice(n, 3, 17, 23)
    assert set(colours.unique().tolist()) == set(range(n))
    counts = torch.bincount(colours.flatten(), minlength=n)
    assert counts.max() - counts.min() <= 17 + 23


@pytest.mark.parametrize(("n", "square"), [(4, 4), (5, 5), (8, 8), (10, 10), (13, 13)])
def test_probed_pixels_are_far_apart(n: int, square: int) -> None:
    """Squared distance of pixels of one colour: that of a square lattice of the same density, or near it."""
    places = (lattice(n, 1, 20, 20)[0] == 0).nonzero().double()
    distances = torch.cdist(places, places).square()
    assert round(float(distances[distances > 0].min())) >= square - (n == 4) * 2
    both = lattice(n, 3, 20, 20)
    if n >= 4:
        assert not (both[0] == both[1]).any(), "no two channels of a pixel move together"
        assert not (both[0] == both[2]).any() or n == 4


def test_a_short_filter_is_measured_exactly() -> None:
    """Ten probes: numbers that move together are over three pixels apart, and a 3×3 kernel does not see two."""
    observation = noisy(14, 11)
    expected = exact_reliance(blur(3), observation.y.shape)
    found = implied_reliance(linear(blur(3)), observation, probes=10)
    torch.testing.assert_close(found.map, local_mean(expected), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.mean, expected.mean()[None], rtol=0, atol=1e-9)


def test_a_wide_filter_is_measured_without_bias_and_its_standard_error_is_honest() -> None:
    observation = noisy(16, 13)
    expected = exact_reliance(blur(11), observation.y.shape)
    found = [implied_reliance(linear(blur(11)), observation, probes=4, seed=seed) for seed in range(200)]
    means = torch.cat([one.mean for one in found])
    told = torch.cat([one.standard_error for one in found])
    spread = float(means.std())
    assert spread > 1e-4, "otherwise this shows nothing"
    assert float(means.mean() - expected.mean()) == pytest.approx(0, abs=4 * spread / 200**0.5)
    assert 0.8 < float(told.square().mean().sqrt()) / spread < 2.0
    maps = torch.cat([one.map for one in found])
    standard = maps.std(0) / 200**0.5
    assert float(((maps.mean(0) - local_mean(expected)[0]).abs() / standard).max()) < 6


REDUNDANT = ("wavelet", "collaborative-wiener")
LONG = ("bm3d-fusion",)
"""Rows that take seconds in colour."""


@pytest.mark.parametrize("name", ["local-wiener", "tikhonov", "fourier-wiener", "nlm", "bilateral", "tv", "noisy",
                                  "bm3d-fusion", *REDUNDANT])  # fmt: skip
def test_with_phi_and_prior_held_fixed_the_implied_is_the_declared(name: str) -> None:
    """The bars: mean absolute difference of maps under 0.03 with the default probes, of means under 0.005.

    The coordinates of a redundant domain outnumber the pixels, and a mean over them weighs the pixels differently.
    """
    observation = noisy(64, 72, channels=1 if name in LONG else 3)
    base = get_method(name).restore(observation)
    found = implied_reliance(lambda o: _frozen(base, o), observation)
    held = implied_reliance(get_method(name).restore, observation, base=base).frozen
    mean = base.phi_mean()
    assert mean is not None
    assert held is not None
    for measured in (found, held):
        torch.testing.assert_close(measured.mean, mean, rtol=0, atol=0.03 if name in REDUNDANT else 0.005)
        declared = base.phi_map()
        expected = torch.full_like(found.map, float(mean)) if declared is None else local_mean(declared)
        assert float((measured.map - expected).abs().mean()) < 0.03
    torch.testing.assert_close(held.map, found.map, rtol=0, atol=1e-6)


def _frozen(base: Restoration, observation: Observation) -> Restoration:
    """The fusion of another observation with φ and g as they were."""
    assert base.domain is not None
    assert base.prior is not None
    assert base.phi is not None
    return Restoration.fused(base.domain.analysis(observation.y), base.prior, base.phi, base.domain)


def test_non_local_means_with_frozen_weights_is_its_phi(monkeypatch: pytest.MonkeyPatch) -> None:
    """g follows y through fixed weights; it leaves out the pixel itself, so the diagonal is w_ii/Σw = 1 − φ."""
    observation = noisy(40, 44)
    seen: list[tuple[Sequence[Offset], Callable[..., Tensor]]] = []

    def spy(y: Tensor, offsets: Sequence[Offset], weight: Callable[..., Tensor]) -> Neighbours:
        seen.append((offsets, weight))
        return average(y, offsets, weight)

    monkeypatch.setattr(methods.classic.nlm, "available", lambda y: False)
    monkeypatch.setattr(methods.classic.nlm, "average", spy)
    base = NonLocalMeans().restore(observation)
    assert base.phi is not None

    def frozen(y: Tensor) -> Tensor:
        return (1 - base.phi) * y + base.phi * average(y, *seen[0]).mean

    torch.testing.assert_close(frozen(observation.y), base.image)
    found = implied_reliance(linear(frozen), observation)
    assert float((found.map - local_mean(base.phi)).abs().mean()) < 0.03
    torch.testing.assert_close(found.mean, base.phi_mean(), rtol=0, atol=0.005)


def test_local_wiener_with_frozen_phi_takes_its_own_pixel_from_the_mean_too() -> None:
    """Then g is the mean of a window that holds the pixel: implied φ = φ (1 − 1/size²), but at mirrored borders."""
    observation = noisy(48, 40)
    method = LocalWiener()
    size = method.size(25 / 255)
    phi = method.restore(observation).phi
    assert phi is not None
    found = implied_reliance(
        linear(lambda y: (1 - phi) * y + phi * local_moments(y, size)[0]), observation, probes=size**2 + 1
    )
    inside = slice(8, -8)
    expected = local_mean(phi * (1 - 1 / size**2))
    assert float((found.map - expected)[..., inside, inside].abs().max()) < 0.004


def test_an_unbounded_phi_that_reaches_any_image_is_found_out() -> None:
    """φ = (x − y)/(g − y) makes x of every y and g: all of it is prior, whatever φ says."""
    observation = noisy(32, 32)
    x, g = photograph(32, 32), torch.full((1, 3, 32, 32), 2.0, dtype=torch.float64)

    def restore(o: Observation) -> Restoration:
        return Restoration.fused(o.y, g, (x - o.y) / (g - o.y))

    found = implied_reliance(restore, observation)
    torch.testing.assert_close(found.mean, torch.ones(1, dtype=torch.float64))
    assert found.frozen is not None
    declared = restore(observation).phi_mean()
    torch.testing.assert_close(found.frozen.mean, declared)
    assert abs(float(found.frozen.mean) - 1) > 0.5


def test_a_method_that_follows_or_fights_the_data_leaves_the_unit_interval() -> None:
    observation = noisy(16, 16)
    sharpened = implied_reliance(linear(lambda y: 1.5 * y), observation)
    opposed = implied_reliance(linear(lambda y: -0.5 * y), observation)
    torch.testing.assert_close(sharpened.mean, torch.full((1,), -0.5, dtype=torch.float64))
    torch.testing.assert_close(opposed.map, torch.full((1, 1, 16, 16), 1.5, dtype=torch.float64))


def test_in_inpainting_only_observed_pixels_are_moved() -> None:
    mask = torch.ones(1, 1, 24, 20, dtype=torch.float64)
    mask[..., 6:14, 5:12] = 0
    y = photograph(24, 20) * mask
    observation = Observation(y, Masking(mask), NoNoise())
    seen = []

    def restore(o: Observation) -> Restoration:
        seen.append(o.y)
        # An observed pixel keeps 0.7 of itself; the hole is filled with the mean of what is around.
        return Restoration(0.7 * o.y + (1 - mask) * o.y.mean())

    found = implied_reliance(restore, observation)
    hole = (mask == 0).expand_as(y)
    assert all(torch.equal(moved[hole], y[hole]) for moved in seen)
    expected = 1 - 0.7 * mask
    torch.testing.assert_close(found.map, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.mean, expected.mean()[None], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["harmonic", "telea"])
def test_classic_inpainting_is_data_outside_and_prior_inside(name: str) -> None:
    observation = get_task("inpaint-center").degrade(photograph(40, 32)[0].float(), Key(0, "test", name))
    found = implied_reliance(get_method(name).restore, observation)
    torch.testing.assert_close(found.map, 1 - observation.mask, rtol=0, atol=1e-4)
    assert found.frozen is not None
    torch.testing.assert_close(found.frozen.map, found.map, rtol=0, atol=1e-4)


@pytest.mark.parametrize("keep", [1.0, 0.25])
def test_in_colorization_the_data_is_the_luma(keep: float) -> None:
    """Of three coordinates the luma is observed: a method that keeps a share of it relies on the rest."""
    domain = LumaChroma()
    clean = photograph(20, 18)

    def restore(o: Observation) -> Restoration:
        # The chroma follows y strongly, which is no data in a chroma.
        coordinates = torch.cat([keep * o.y, 3 * o.y**2, o.y.sqrt()], dim=1)
        return Restoration(domain.synthesis(coordinates))

    y = Luma().forward(clean)
    observation = Observation(y, Luma(), NoNoise())
    found = implied_reliance(restore, observation)
    expected = (1 - keep + 2) / 3
    torch.testing.assert_close(found.map, torch.full((1, 1, 20, 18), expected, dtype=torch.float64))
    torch.testing.assert_close(found.mean, torch.full((1,), expected, dtype=torch.float64))


def test_the_declared_two_thirds_of_a_colorization_are_the_implied() -> None:
    observation = get_task("colorize").degrade(photograph(32, 32)[0].float(), Key(0, "test", "a"))
    method = get_method("chroma-given-luma")
    found = implied_reliance(method.restore, observation)
    torch.testing.assert_close(found.mean, method.restore(observation).phi_mean(), rtol=0, atol=1e-4)


def test_a_batch_is_measured_as_one_by_one_and_always_the_same() -> None:
    one, two = noisy(20, 24), observe(photograph(20, 24, top=5, left=120), 10)
    batch = Observation.cat([one, two])
    method = get_method("local-wiener")
    together = implied_reliance(method.restore, batch)
    torch.random.manual_seed(1)
    np.random.seed(1)
    for place, alone in enumerate((one, two)):
        found = implied_reliance(method.restore, alone)
        torch.testing.assert_close(found.map[0], together.map[place])
        torch.testing.assert_close(found.standard_error[0], together.standard_error[place])
        assert found.frozen is not None
        assert together.frozen is not None
        torch.testing.assert_close(found.frozen.mean[0], together.frozen.mean[place])
    signs = random_signs(batch.y, 0)
    assert not torch.equal(signs[0], signs[1])
    assert not torch.equal(signs[:1], random_signs(one.y, 1))
    assert set(signs.unique().tolist()) == {-1, 1}


def test_single_precision_is_enough() -> None:
    observation = noisy(48, 48, channels=1)
    method = get_method("nlm")
    double = implied_reliance(method.restore, observation)
    single = implied_reliance(method.restore, observation.to(dtype=torch.float32))
    assert single.map.dtype == torch.float32
    torch.testing.assert_close(single.map.double(), double.map, rtol=0, atol=2e-3)


def test_what_is_out_of_range_is_refused() -> None:
    observation = noisy(16, 16)
    with pytest.raises(ValueError, match="probes"):
        implied_reliance(linear(blur(3)), observation, probes=0)
    with pytest.raises(ValueError, match="step"):
        implied_reliance(linear(blur(3)), observation, step=torch.zeros(1))
    with pytest.raises(ValueError, match="not finite"):
        implied_reliance(linear(lambda y: y / 0), observation, base=Restoration(observation.y))
    assert torch.isnan(implied_reliance(linear(blur(3)), observation, probes=1).standard_error).all()


def test_without_noise_a_step_of_a_byte_is_taken() -> None:
    observation = noisy(16, 16, sigma=0)
    moved: list[Tensor] = []

    def restore(o: Observation) -> Restoration:
        moved.append(o.y)
        return Restoration(o.y)

    for noise in (observation.noise, None):
        moved.clear()
        implied_reliance(restore, replace(observation, noise=noise))
        assert float((moved[1] - moved[0]).abs().max()) == pytest.approx(1 / 255)


def test_sure_of_the_noisy_image_is_the_variance() -> None:
    observation = noisy(16, 16)
    assert observation.sigma is not None
    found = sure(observation.y, observation.y, observation.sigma, torch.zeros(1))
    torch.testing.assert_close(found, observation.sigma.square())


@pytest.mark.parametrize("name", ["local-wiener", "tikhonov", "nlm", "fourier-wiener-oracle"])
def test_sure_is_the_error_on_average(name: str) -> None:
    """Over 40 draws of the noise on a small crop: within 3%, where the declared φ in its place would be far off."""
    method = get_method(name)
    task = get_task("denoise", sigma="25")
    clean = photograph(64, 64)[0].float()
    estimates, errors = [], []
    for draw in range(40):
        observation = task.degrade(clean, Key(draw, "test", "crop"))
        assert observation.truth is not None
        assert observation.sigma is not None
        base = method.restore(observation)
        found = implied_reliance(method.restore, observation, probes=2, base=base)
        estimates.append(float(sure(observation.y, base.image, observation.sigma, found.mean)))
        errors.append(float((base.image - observation.truth.clean).square().mean()))
    assert np.mean(estimates) / np.mean(errors) == pytest.approx(1, abs=0.03)


def _denoisers() -> list[str]:
    task = get_task("denoise", sigma="25")
    methods = {name: any_setting(name) for name in METHODS.index() if not to_be_given(name)}
    return [name for name, method in methods.items() if method.supports(task) is None and method.on_request is None]


@pytest.mark.slow
@pytest.mark.parametrize("name", _denoisers())
def test_sure_on_the_photos(name: str) -> None:
    """Within 3% of the true error, mean over the photos; one photo scatters by up to 5% through its noise alone.

    The package bm3d takes seconds a restoration: three photos, and 4%.
    """
    method = get_method(name)
    estimates, errors = [], []
    photos, tolerance = (3, 0.04) if name == "bm3d" else (None, 0.03)
    for entry in get_dataset("photos").entries("test")[:photos]:
        observation = get_task("denoise", sigma="25").degrade(entry.load(), Key(0, "photos", entry.name))
        assert observation.truth is not None
        assert observation.sigma is not None
        given = observation if method.oracle else observation.without_truth()
        with torch.no_grad():
            base = method.restore(given)
            found = implied_reliance(method.restore, given, base=base)
        estimates.append(float(sure(observation.y, base.image, observation.sigma, found.mean)))
        errors.append(float((base.image - observation.truth.clean).double().square().mean()))
    assert isinstance(observation.operator, Identity)
    assert np.mean(estimates) / np.mean(errors) == pytest.approx(1, abs=tolerance)
