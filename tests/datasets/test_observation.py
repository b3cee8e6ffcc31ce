"""Operators: adjoint and lift identities. Observations: shapes, batches, dtypes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation, Truth
from datasets.operators import LUMA, Identity, Luma, Masking, Operator, by_operator
from tests.datasets.halving import Halving, Poisson

N, H, W = 3, 33, 47


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask() -> torch.Tensor:
    return (rand(N, 1, H, W, seed=9) > 0).double()


OPERATORS = [(Identity(), 3, 3), (Identity(), 1, 1), (Masking(mask()), 3, 3), (Masking(mask()), 1, 1), (Luma(), 3, 1)]
IDS = ["identity-rgb", "identity-gray", "masking-rgb", "masking-gray", "luma"]


@pytest.mark.parametrize(("operator", "c_in", "c_out"), OPERATORS, ids=IDS)
def test_adjoint(operator: Operator, c_in: int, c_out: int) -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""
    x, y = rand(N, c_in, H, W), rand(N, c_out, H, W, seed=1)
    torch.testing.assert_close((operator.forward(x) * y).sum(), (x * operator.adjoint(y)).sum(), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(("operator", "c_in", "c_out"), OPERATORS, ids=IDS)
def test_lift_is_a_right_inverse_on_the_range(operator: Operator, c_in: int, c_out: int) -> None:
    """A f(y) = y for y = A x, and f(y) is an image with as many channels as x."""
    x = rand(N, c_in, H, W)
    y = operator.forward(x)
    assert y.shape == (N, c_out, H, W)
    assert operator.lift(y).shape == x.shape
    torch.testing.assert_close(operator.forward(operator.lift(y)), y, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("operator", "c_in", "c_out"), OPERATORS, ids=IDS)
def test_linear(operator: Operator, c_in: int, c_out: int) -> None:
    x, z = rand(N, c_in, H, W), rand(N, c_in, H, W, seed=2)
    expected = 2 * operator.forward(x) - 3 * operator.forward(z)
    torch.testing.assert_close(operator.forward(2 * x - 3 * z), expected, rtol=0, atol=1e-12)


def test_masking_is_a_projection() -> None:
    a, x = Masking(mask()), rand(N, 3, H, W)
    assert torch.equal(a.forward(a.forward(x)), a.forward(x))
    assert torch.equal(a.forward(x) == 0, (a.mask == 0).expand_as(x))


def test_luma_of_known_colours() -> None:
    """The weights add up to 1, and each primary has its own weight in the order R, G, B."""
    primaries = torch.eye(3, dtype=torch.float64).reshape(3, 3, 1, 1)
    assert Luma().forward(primaries).flatten().tolist() == [0.299, 0.587, 0.114]
    assert sum(LUMA) == pytest.approx(1, abs=1e-15)


def observation(n: int = N, sigma: bool = True) -> Observation:
    m = mask()[:n]
    x = rand(n, 3, H, W)
    noise = Gaussian(torch.arange(1, n + 1, dtype=torch.float64) / 255)
    return Observation(x * m, Masking(m), noise if sigma else None, Truth(x, noise))


@pytest.mark.parametrize("sigma", [True, False])
def test_cat_undoes_select(sigma: bool) -> None:
    whole = observation(sigma=sigma)
    again = Observation.cat([whole.select(i) for i in range(N)])
    assert len(again) == N
    assert torch.equal(again.y, whole.y)
    assert torch.equal(again.mask, whole.mask)
    assert torch.equal(again.fidelity, whole.fidelity)
    assert (again.sigma is None) == (not sigma)
    if whole.sigma is not None and again.sigma is not None:
        assert torch.equal(again.sigma, whole.sigma)
    assert again.truth is not None
    assert whole.truth is not None
    assert torch.equal(again.truth.clean, whole.truth.clean)
    assert torch.equal(again.truth.sigma, whole.truth.sigma)  # type: ignore[arg-type]
    assert torch.equal(again.operator.forward(whole.truth.clean), whole.y)


def test_cat_does_not_tell_a_sigma_or_truth_that_one_part_hides() -> None:
    whole = observation(2)
    blind, told = replace(whole.select(0), noise=None), whole.select(1)
    assert Observation.cat([blind, told]).sigma is None
    assert Observation.cat([told.without_truth(), whole.select(0)]).truth is None


def test_to_moves_every_tensor() -> None:
    moved = observation().to(dtype=torch.float32)
    assert moved.truth is not None
    assert moved.sigma is not None
    assert isinstance(moved.operator, Masking)
    assert moved.truth.sigma is not None
    tensors = [moved.y, moved.mask, moved.sigma, moved.truth.clean, moved.truth.sigma, moved.operator.mask]
    assert {t.dtype for t in tensors} == {torch.float32}
    assert moved.fidelity.dtype == torch.float32


def test_truth_and_true_sigma() -> None:
    blind = observation(sigma=False)
    assert blind.truth is not None
    assert torch.equal(blind.told().sigma, blind.truth.sigma)  # type: ignore[arg-type]
    honest = blind.without_truth()
    assert honest.truth is None
    with pytest.raises(ValueError, match="truth"):
        honest.told()
    level = torch.full((N,), 0.1)
    assert torch.equal(honest.told(Gaussian(level)).sigma, level)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("y", "m", "sigma"),
    [
        ((3, H, W), (1, 1, H, W), (1,)),
        ((1, 2, H, W), (1, 1, H, W), (1,)),
        ((1, 3, H, W), (1, 3, H, W), (1,)),
        ((2, 3, H, W), (1, 1, H, W), (2,)),
        ((2, 3, H, W), (2, 1, H, W), (1,)),
    ],
)
def test_wrong_shapes_are_refused(y: tuple[int, ...], m: tuple[int, ...], sigma: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Observation(torch.zeros(y), Masking(torch.ones(m)), Gaussian(torch.zeros(sigma)))


def test_an_operator_that_a_table_does_not_hold_is_an_error() -> None:
    class Other(Identity):
        pass

    table: dict[type[Operator], int] = {Identity: 1, Luma: 2}
    assert by_operator(table, Identity(), "it") == 1
    with pytest.raises(ValueError, match="it does not know the operator Other: it knows Identity, Luma"):
        by_operator(table, Other(), "it")


def test_noise_says_its_variance() -> None:
    z = rand(2, 3, 64, 64, seed=3)
    law = Gaussian(torch.tensor([0.1, 0.2], dtype=torch.float64))
    spread = (law.sample(z, np.random.RandomState(0)) - z).square().mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(spread, law.variance(z), rtol=0.05, atol=0)
    assert torch.equal(NoNoise().sample(z, np.random.RandomState(0)), z)
    assert not NoNoise().variance(z).any()


def test_another_grid_and_a_noise_that_follows_the_signal() -> None:
    """What super-resolution and Poisson noise need of an observation; the noise has no σ to tell."""
    x = rand(2, 3, 64, 48, seed=5).abs().clamp(0, 1)
    operator, noise = Halving(), Poisson(torch.tensor([50.0, 200.0], dtype=torch.float64))
    y = noise.sample(operator.forward(x), np.random.RandomState(0))
    whole = Observation(y, operator, noise, Truth(x, noise))
    assert whole.mask.shape == (2, 1, 64, 48)
    assert whole.fidelity.shape == x.shape
    assert whole.sigma is None
    assert whole.truth is not None
    assert whole.truth.sigma is None
    residual = (y - operator.forward(x)).square().mean(dim=(1, 2, 3))
    expected = noise.variance(operator.forward(x)).mean(dim=(1, 2, 3))
    torch.testing.assert_close(residual, expected, rtol=0.1, atol=0)
    again = Observation.cat([whole.select(0), whole.select(1)])
    assert torch.equal(again.y, whole.y)
    assert isinstance(again.noise, Poisson)
    assert torch.equal(again.noise.peak, noise.peak)
    single = again.to(dtype=torch.float32)
    assert isinstance(single.noise, Poisson)
    assert single.noise.peak.dtype == single.mask.dtype == torch.float32
    assert isinstance(whole.without_truth().told(noise).noise, Poisson)
    y, x = rand(2, 3, 32, 24), rand(2, 3, 64, 48, seed=1)
    torch.testing.assert_close((operator.forward(x) * y).sum(), (x * operator.adjoint(y)).sum())
