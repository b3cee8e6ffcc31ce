"""Samplers of the scene prior, against posteriors in closed form: those of Gaussian priors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import pytest
import torch
from torch import Generator, Tensor

from bigprior.priors.scene.problem import (
    AnyLinear,
    Convolved,
    KnownLuma,
    KnownPixels,
    LinearProblem,
    Noisy,
    SpectralProblem,
)
from bigprior.priors.scene.samplers import SAMPLERS, get_sampler
from bigprior.priors.scene.samplers.base import WEAKEST, Denoiser, Sampler, generator, levels
from bigprior.priors.scene.samplers.bridge import Bridge
from bigprior.priors.scene.samplers.ddnm import DDNM
from bigprior.priors.scene.samplers.diffpir import DiffPIR
from bigprior.priors.scene.samplers.dps import DPS
from bigprior.priors.scene.samplers.pinned import _fresh, _kept, _to_data, _to_guess
from datasets.errors import SuiteError

SIDE, IMAGES, DRAWS = 4, 16, 8
DTYPE = torch.float64


@dataclass(frozen=True)
class GaussianPrior:
    """x ~ N(m, C), neighbours and colours correlated. Its denoiser is D(x; σ) = m + C (C + σ²I)⁻¹ (x − m)."""

    mean: float = 0.2

    @cached_property
    def covariance(self) -> Tensor:
        place = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).to(DTYPE)
        colours = torch.full((3, 3), 0.7, dtype=DTYPE) + 0.3 * torch.eye(3, dtype=DTYPE)
        return torch.kron(colours, 0.25 * (-torch.cdist(place, place) / 4).exp())

    @cached_property
    def spectrum(self) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh(self.covariance)
        return values, vectors

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        values, vectors = (each.to(x) for each in self.spectrum)
        parts = (x.flatten(1) - self.mean) @ vectors
        return ((parts * values / (values + sigma[:, None].square())) @ vectors.T + self.mean).view_as(x)

    def draw(self, count: int) -> Tensor:
        white = torch.randn(count, 3 * SIDE**2, generator=torch.Generator().manual_seed(0), dtype=DTYPE)
        return (self.mean + white @ torch.linalg.cholesky(self.covariance).T).view(-1, 3, SIDE, SIDE)

    def posterior(self, problem: SpectralProblem) -> tuple[Tensor, Tensor]:
        """Means (N,d) given the data of each image, and the covariance, which is that of all."""
        unit = torch.eye(3 * SIDE**2, dtype=DTYPE).view(-1, 1, 3, SIDE, SIDE)
        a = torch.stack([problem.forward(each.expand(problem.shape))[0].flatten() for each in unit], dim=1)
        noise = problem.sigma[0].square() * torch.eye(len(a), dtype=DTYPE)
        gain = self.covariance @ a.T @ torch.linalg.pinv(a @ self.covariance @ a.T + noise, hermitian=True)
        return self.mean + (
            problem.y.flatten(1) - a.sum(1) * self.mean
        ) @ gain.T, self.covariance - gain @ a @ self.covariance


PRIOR = GaussianPrior()


@dataclass(frozen=True)
class Unconditional(Sampler):
    """Draws that have not seen the data: what the bounds must tell from draws that have."""

    name: ClassVar[str] = "unconditional"

    def sample(self, denoise: Denoiser, problem: LinearProblem, random: Sequence[Generator]) -> Tensor:
        blind = KnownPixels(
            torch.zeros(problem.shape, dtype=DTYPE), problem.sigma, torch.zeros(problem.shape, dtype=DTYPE)
        )
        return Bridge(self.steps).sample(denoise, blind, random)


def observed(problem: SpectralProblem) -> SpectralProblem:
    """The problem with the data of draws from the prior."""
    y = problem.forward(PRIOR.draw(len(problem.sigma)))
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=DTYPE)
    return replace(problem, y=y + problem.sigma[:, None, None, None] * noise)  # type: ignore[type-var]


def images(channels: int = 3, count: int = IMAGES) -> Tensor:
    return torch.zeros(count, channels, SIDE, SIDE, dtype=DTYPE)


def level(sigma: float, count: int = IMAGES) -> Tensor:
    return torch.full((count,), sigma, dtype=DTYPE)


def noisy(sigma: float) -> SpectralProblem:
    return observed(Noisy(images(), level(sigma)))


def holes(sigma: float) -> SpectralProblem:
    weight = images(1) + 1
    weight[..., 1:3, 1:4] = 0
    weight[..., 0, :] = 0.5
    return observed(KnownPixels(images(), level(sigma), weight))


def luma(sigma: float) -> SpectralProblem:
    return observed(KnownLuma(images(1), level(sigma)))


def blur(sigma: float) -> SpectralProblem:
    kernel = images(1, 1)
    kernel[..., :2, :2] = 0.25
    return observed(Convolved(images(), level(sigma), torch.fft.rfft2(kernel)))


def moments(sampler: Sampler, problem: SpectralProblem) -> tuple[float, float]:
    """Of draws given each of several data: the distance of their mean to that of the posterior, root mean square in
    its standard deviations, and their variance in its variance."""
    drawn = sampler.draws(PRIOR.denoise, problem, range(IMAGES), DRAWS).flatten(2)
    mean, covariance = PRIOR.posterior(problem)
    total = covariance.trace()
    variance = drawn.var(0).sum(1).mean() / total
    distance = (drawn.mean(0) - mean).square().sum(1).mean() / total - variance / DRAWS  # what chance adds
    return float(distance.clamp_min(0).sqrt()), float(variance)


PROBLEMS: dict[str, Callable[[], SpectralProblem]] = {
    "noisy": lambda: noisy(0.3),
    "holes": lambda: holes(0.0),
    "noisy holes": lambda: holes(0.2),
    "luma": lambda: luma(0.0),
    "noisy luma": lambda: luma(0.2),
    "blur": lambda: blur(0.2),
}
EVERY = pytest.mark.parametrize(
    "sampler", [Bridge(8), Bridge(8, repeats=1), DDNM(8), DDNM(8, repeats=2), DPS(8), DiffPIR(8)]
)
BOUNDS: dict[type[Sampler], tuple[float, float, float]] = {
    Bridge: (0.7, 0.75, 1.6),
    DDNM: (0.8, 0.4, 1.3),
    DPS: (0.7, 0.6, 1.1),
    DiffPIR: (0.8, 0.45, 1.4),
}
"""The largest distance of the means, and the range of the variance, of 24 steps (the bias of each is known)."""


@pytest.mark.parametrize("problem", ["noisy", "holes", "noisy luma", "blur"])
@pytest.mark.parametrize("kind", BOUNDS)
def test_mean_and_variance_are_near_those_of_the_posterior(kind: type[Sampler], problem: str) -> None:
    distance, variance = moments(kind(24), PROBLEMS[problem]())
    largest, low, high = BOUNDS[kind]
    assert distance < largest
    assert low < variance < high


def test_the_bounds_tell_draws_that_have_not_seen_the_data() -> None:
    distance, variance = moments(Unconditional(24), noisy(0.3))
    assert distance > 2
    assert variance > 3


def test_the_bridge_is_near_where_all_components_are_seen() -> None:
    distance, variance = moments(Bridge(24), blur(0.2))
    assert distance < 0.15
    assert variance == pytest.approx(0.93, abs=0.1)


def test_a_pinned_state_keeps_its_law() -> None:
    """At t, a component is A⁺y + √(t² − τ²) n; so it must be at u, and the process of x₀ below τ."""
    t, u = torch.tensor(2.0, dtype=DTYPE), torch.tensor(0.5, dtype=DTYPE)
    tau = torch.tensor([0.0, 0.3, 0.5, 1.0, 2.0, 5.0, torch.inf], dtype=DTYPE)
    kept, data, guess, fresh = (weight(tau, t, u) for weight in (_kept, _to_data, _to_guess, _fresh))
    torch.testing.assert_close(kept + data + guess, torch.ones_like(tau))
    pinned, across, free = tau <= u, (tau > u) & (tau < t), tau >= t
    variance = kept.square() * (t.square() - tau.square()) + fresh.square()
    torch.testing.assert_close(variance[pinned], (u.square() - tau.square())[pinned])
    assert not guess[pinned].any()
    # Brownian bridges from level v to the guess at level 0: weight (u/v)², variance u² (1 − (u/v)²).
    for where, weight, level in ((across, data, tau[across]), (free, kept, t.expand(int(free.sum())))):
        torch.testing.assert_close(weight[where], (u / level).square())
        torch.testing.assert_close(fresh[where].square(), u.square() * (1 - (u / level).square()))
    assert not kept[across].any()
    assert not data[free].any()
    end = torch.zeros_like(u)
    torch.testing.assert_close(_to_data(tau, t, end)[0], torch.ones_like(u))
    assert not _fresh(tau, t, end).any()


def test_with_white_noise_the_bridge_is_exact() -> None:
    distance, variance = moments(Bridge(48, correction=0.5), noisy(0.3))
    assert distance < 0.25
    assert variance == pytest.approx(1, abs=0.1)


def test_passing_levels_again_brings_the_known_and_the_unknown_together() -> None:
    problem = luma(0.0)
    assert moments(DDNM(16, repeats=3), problem)[0] < 0.75 * moments(DDNM(16), problem)[0]


@EVERY
@pytest.mark.parametrize("make", [holes, luma])
def test_exact_data_are_kept_exactly(sampler: Sampler, make: Callable[[float], SpectralProblem]) -> None:
    problem = make(0.0)
    drawn = sampler.draws(PRIOR.denoise, problem, range(IMAGES), 1)[0]
    torch.testing.assert_close(problem.forward(drawn), problem.y, rtol=0, atol=1e-12)
    assert float((drawn - problem.project(torch.zeros_like(drawn))).abs().amax()) > 0.1, "the rest is drawn"


@EVERY
@pytest.mark.parametrize("sigma", [0.0, 1e-4])
def test_an_image_that_is_known_is_its_own_draw(sampler: Sampler, sigma: float) -> None:
    problem = noisy(sigma)
    drawn = sampler.draws(PRIOR.denoise, problem, range(IMAGES), 1)[0]
    torch.testing.assert_close(drawn, problem.y, rtol=0, atol=1e-12 if sigma == 0 else 5 * WEAKEST)


@EVERY
def test_an_image_without_data_is_a_draw_from_the_prior(sampler: Sampler) -> None:
    nothing = KnownPixels(images(count=64), level(0.1, 64), images(1, 64))
    drawn = replace(sampler, steps=32).draws(PRIOR.denoise, nothing, range(64), 1)[0].flatten(1)
    error = (drawn.mean() - PRIOR.mean).abs()
    assert float(error) < 4 * float(PRIOR.covariance.mean().sqrt()) / 8
    assert 0.55 < float(drawn.var(0).sum() / PRIOR.covariance.trace()) < 1.45


@EVERY
def test_a_draw_is_the_same_alone_and_in_a_batch(sampler: Sampler) -> None:
    sigma = torch.tensor([0.0, 0.2, 0.5], dtype=DTYPE)
    weight = (torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) > 0.4).to(DTYPE)
    whole = observed(KnownPixels(images(count=3), sigma, weight))
    assert isinstance(whole, KnownPixels)
    drawn = sampler.draws(PRIOR.denoise, whole, (5, 6, 7), 2)
    for k, seed in enumerate((5, 6, 7)):
        own = KnownPixels(whole.y[k : k + 1], sigma[k : k + 1], weight[k : k + 1])
        torch.testing.assert_close(sampler.draws(PRIOR.denoise, own, (seed,), 2)[:, 0], drawn[:, k])
        torch.testing.assert_close(sampler.draws(PRIOR.denoise, own, (seed,), 1)[0, 0], drawn[0, k])
    assert float((drawn[0] - drawn[1]).flatten(1).norm(dim=1).min()) > 0.1, "draws differ"


@EVERY
def test_single_precision_draws_the_same(sampler: Sampler) -> None:
    exact = holes(0.2)
    assert isinstance(exact, KnownPixels)
    single = KnownPixels(exact.y.float(), exact.sigma.float(), exact.weight.float())
    drawn = sampler.draws(PRIOR.denoise, single, range(IMAGES), 1)
    assert drawn.dtype == torch.float32
    torch.testing.assert_close(drawn.double(), sampler.draws(PRIOR.denoise, exact, range(IMAGES), 1), rtol=0, atol=1e-3)


@pytest.mark.parametrize("sampler", [DPS(8), DiffPIR(8)])
@pytest.mark.parametrize("sigma", [0.0, 0.2])
def test_conjugate_gradients_serve_as_well(sampler: Sampler, sigma: float) -> None:
    known = holes(sigma)
    generic = AnyLinear(known.y, known.sigma, known.shape, known.forward, known.adjoint, tolerance=1e-10)
    expected = sampler.draws(PRIOR.denoise, known, range(IMAGES), 1)
    torch.testing.assert_close(sampler.draws(PRIOR.denoise, generic, range(IMAGES), 1), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["bridge", "ddnm"])
def test_what_conjugate_gradients_do_not_serve_is_one_line(name: str) -> None:
    known = holes(0.2)
    generic = AnyLinear(known.y, known.sigma, known.shape, known.forward, known.adjoint)
    with pytest.raises(ValueError, match="diffpir and dps") as caught:
        get_sampler(name).draws(PRIOR.denoise, generic, range(IMAGES), 1)
    assert "\n" not in str(caught.value)


def test_guidance_works_where_nothing_else_is_differentiated() -> None:
    problem = holes(0.2)
    expected = DPS(4).draws(PRIOR.denoise, problem, range(IMAGES), 1)
    with torch.inference_mode():
        torch.testing.assert_close(DPS(4).draws(PRIOR.denoise, holes(0.2), range(IMAGES), 1), expected)


def test_levels_fall_from_the_start_to_zero() -> None:
    start = torch.tensor([80.0, 0.1, 0.001])
    found = levels(6, start)
    assert found.shape == (7, 3)
    assert torch.equal(found[0], start), "to the last bit: pins are found by comparison"
    assert bool((found.diff(dim=0) < 0).all())
    torch.testing.assert_close(found[-2], torch.tensor([0.002, 0.002, 0.0005]), rtol=1e-4, atol=0)
    assert not found[-1].any()


def test_generators_of_images_and_draws_are_independent() -> None:
    first = [torch.randn(3, generator=generator(seed, draw)) for seed in range(3) for draw in range(3)]
    assert len({tuple(each.tolist()) for each in first}) == 9
    assert torch.equal(first[0], torch.randn(3, generator=generator(0, 0)))


def test_bad_input_is_one_line() -> None:
    calls: list[Callable[[], object]] = [
        lambda: get_sampler("bridg"),
        lambda: get_sampler("dps", 1),
        lambda: get_sampler("ddnm").draws(PRIOR.denoise, noisy(0.1), range(IMAGES), 0),
        lambda: DDNM(8, repeats=0),
        lambda: Bridge(8, repeats=0),
        lambda: DiffPIR(8, share=1.5),
        lambda: DiffPIR(8, weight=0),
        lambda: DPS(8, strength=0),
    ]
    for call in calls:
        with pytest.raises(SuiteError) as caught:
            call()
        assert "\n" not in str(caught.value)
    with pytest.raises(SuiteError, match="Did you mean bridge"):
        get_sampler("bridg")
    with pytest.raises(ValueError, match="2 seeds for 16 images"):
        get_sampler("ddnm").draws(PRIOR.denoise, noisy(0.1), (0, 1), 1)
    assert set(SAMPLERS) == {"bridge", "ddnm", "dps", "diffpir"}
