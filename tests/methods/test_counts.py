"""Counts: the Anscombe transform and its inverse against expectations, and the local filter against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.counts import PoissonGaussian
from datasets.errors import SuiteError
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from methods.classic._anscombe import TABLE, inverse, mean_transform, transform
from methods.classic.anscombe import Anscombe
from methods.classic.local_wiener import local_moments
from methods.classic.poisson_lee import PoissonLee
from methods.registry import get_method
from tests.methods.denoising import photograph, psnr

SPREADS = [0.0, 0.3, 1.0, 5.0]
each_spread = pytest.mark.parametrize("spread", SPREADS)


def observe(x: Tensor, peak: float, sigma: float = 0, seed: int = 0) -> Observation:
    n = len(x)
    noise = PoissonGaussian(x.new_full((n,), 1 / peak), x.new_full((n,), sigma / 255))
    return Observation(noise.sample(x, np.random.RandomState(seed)), Identity(), noise)


@each_spread
def test_inverse_is_unbiased_by_draws(spread: float) -> None:
    """T⁻¹(E[T(z)]) is the mean count, the expectation being that of 250,000 draws, within 4.5 standard errors."""
    random = np.random.RandomState(1)
    for mean in (0.2, 1.0, 3.0, 20.0, 150.0):
        draws = transform(random.poisson(mean, 250_000) + spread * random.randn(250_000), spread)
        error = draws.std() / 500
        expected = mean_transform(np.array([mean]), spread)[0]
        assert abs(draws.mean() - expected) < 4.5 * error
        low, high = inverse(draws.mean() + 4.5 * error * np.array([-1, 1]), spread)
        assert low < mean < high
        # The transform makes the variance 1 where there are more than a few counts, or some read-out noise.
        if mean >= 3:
            assert draws.var() == pytest.approx(1, abs=0.08)


@each_spread
def test_inverse_of_the_expectation(spread: float) -> None:
    means = np.concatenate([np.linspace(0, 5, 101), np.geomspace(5, 3 * TABLE, 60)])
    np.testing.assert_allclose(inverse(mean_transform(means, spread), spread), means, rtol=1e-4, atol=2e-3)
    found = inverse(np.linspace(0, 80, 4001), spread)
    assert (np.diff(found) >= -1e-9).all()
    assert found[0] == 0


def test_squaring_is_biased() -> None:
    """What the exact inverse is for: (D/2)² − 3/8 is a quarter of a count too low, however many there are."""
    for mean in (2.0, 5.0, 50.0):
        d = mean_transform(np.array([mean]), 0)
        assert mean - 0.28 < d[0] ** 2 / 4 - 3 / 8 < mean - 0.2
        assert abs(inverse(d, 0)[0] - mean) < 1e-3


def test_closed_form_of_poisson_alone() -> None:
    """Mäkitalo and Foi's approximation (2011) and ours agree to 0.02 of a count from half a count on."""
    d = mean_transform(np.linspace(0.5, 100, 300), 0)
    root = np.sqrt(3 / 2)
    theirs = d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 / 8 * root / d**3 - 1 / 8
    np.testing.assert_allclose(inverse(d, 0), theirs, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("peak", "sigma", "level"), [(2.0, 0.0, 0.5), (1.0, 10.0, 0.8), (30.0, 0.0, 0.3), (0.5, 0, 0.6)]
)
def test_flat_images_come_back_without_bias(peak: float, sigma: float, level: float) -> None:
    """A denoiser that averages all pixels gives E[T]: the mean of x̂ is that of x."""
    o = observe(torch.full((1, 1, 64, 64), level, dtype=torch.float64), peak, sigma)
    image = Anscombe(denoiser="tikhonov[scale=1000]").restore(o).image
    error = float((level / peak + (sigma / 255) ** 2) ** 0.5) / 64
    assert image.std() < 0.02
    assert abs(float(image.mean()) - level) < 4.5 * error


def test_scale_of_the_denoiser() -> None:
    """It sees T from 0 at black to 1 at white, with σ one over the width of that."""
    seen = []

    class Spy:
        def restore(self, observation: Observation) -> Observation:
            seen.append(observation)
            return type("R", (), {"image": observation.y})()

    class Watched(Anscombe):
        row = Spy()  # type: ignore[assignment]

        def __post_init__(self) -> None:
            pass

    x = torch.tensor([0.0, 1.0], dtype=torch.float64).view(1, 1, 1, 2).expand(1, 1, 64, 2).contiguous()
    peak, sigma = 400.0, 255 * 0.01
    o = observe(x, peak, sigma)
    Watched().restore(o)
    y = seen[0].y
    width = 2 * np.sqrt(peak + 3 / 8 + 16) - 2 * np.sqrt(3 / 8 + 16)
    assert isinstance(seen[0].noise, Gaussian)
    assert float(seen[0].noise.level) == pytest.approx(1 / width)
    assert y[..., 0].mean() == pytest.approx(0, abs=4.5 / width / 8 + 2e-3)
    assert y[..., 1].mean() == pytest.approx(1, abs=4.5 / width / 8)


def test_images_of_a_batch_keep_their_own_laws() -> None:
    x = photograph(32, 40, 1)
    one, two = observe(x, 30), observe(x, 5, 10)
    together = Anscombe(denoiser="local-wiener").restore(Observation.cat([one, two])).image
    for i, alone in enumerate((one, two)):
        torch.testing.assert_close(
            together[i], Anscombe(denoiser="local-wiener").restore(alone).image[0], rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("side", [3, 7])
def test_local_filter_is_its_formula(side: int) -> None:
    o = observe(photograph(24, 31), 20, 5)
    mean, variance = local_moments(o.y, side)
    noise = mean.clamp(min=0) / 20 + (5 / 255) ** 2
    expected = mean + (variance - noise).clamp(min=0) / variance * (o.y - mean)
    restoration = PoissonLee(side=side).restore(o)
    torch.testing.assert_close(restoration.image, expected, rtol=0, atol=1e-12)
    assert restoration.phi is not None
    torch.testing.assert_close(restoration.phi, (noise / torch.maximum(variance, noise)))


def test_darkness_is_left_alone_and_flat_light_is_averaged() -> None:
    dark = observe(torch.zeros(1, 1, 16, 16), 10)
    restoration = PoissonLee().restore(dark)
    assert restoration.phi is not None
    assert (restoration.phi == 0).all()
    assert torch.equal(restoration.image, dark.y)
    flat = PoissonLee(side=15).restore(observe(torch.full((1, 1, 64, 64), 0.5), 10))
    assert flat.phi is not None
    assert flat.phi.mean() > 0.9


@pytest.mark.parametrize(("peak", "sigma"), [(30.0, 0.0), (4.0, 5.0)])
def test_rows_denoise(peak: float, sigma: float) -> None:
    x = photograph(96, 96).float()
    o = observe(x, peak, sigma)
    noisy, local, stable = (
        psnr(image, x) for image in (o.y, PoissonLee().restore(o).image, Anscombe().restore(o).image)
    )
    assert stable > local + 0.5
    assert local > noisy + 3


def test_a_hidden_law_and_a_wrong_denoiser_are_one_line() -> None:
    o = observe(photograph(16, 16), 10)
    for method in (PoissonLee(), Anscombe()):
        with pytest.raises(ValueError, match="made for Poisson–Gaussian noise"):
            method.restore(Observation(o.y, o.operator, None))
    for denoiser, message in (
        ("nlmm", "Did you mean nlm"),
        ("harmonic", "not made for the identity"),
        ("fourier-wiener-oracle", "looks at the clean image"),
        ("noisy", "is not told σ"),
    ):
        with pytest.raises(SuiteError, match=message) as error:
            get_method(f"anscombe[denoiser={denoiser}]")
        assert "\n" not in str(error.value)
