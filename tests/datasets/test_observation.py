"""Operators: adjoint and lift identities. Observations: shapes, batches, dtypes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from datasets.observation import LUMA, Identity, Luma, Masking, Observation, Operator, Truth

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
    level = torch.arange(1, n + 1, dtype=torch.float64) / 255
    return Observation(x * m, Masking(m), m, level if sigma else None, Truth(x, level))


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
    assert torch.equal(again.truth.sigma, whole.truth.sigma)
    assert torch.equal(again.operator.forward(whole.truth.clean), whole.y)


def test_cat_does_not_tell_a_sigma_or_truth_that_one_part_hides() -> None:
    whole = observation(2)
    blind, told = replace(whole.select(0), sigma=None), whole.select(1)
    assert Observation.cat([blind, told]).sigma is None
    assert Observation.cat([told.without_truth(), whole.select(0)]).truth is None


def test_to_moves_every_tensor() -> None:
    moved = observation().to(dtype=torch.float32)
    assert moved.truth is not None
    assert moved.sigma is not None
    assert isinstance(moved.operator, Masking)
    tensors = [moved.y, moved.mask, moved.sigma, moved.truth.clean, moved.truth.sigma, moved.operator.mask]
    assert {t.dtype for t in tensors} == {torch.float32}
    assert moved.fidelity.dtype == torch.float32


def test_truth_and_true_sigma() -> None:
    blind = observation(sigma=False)
    assert blind.truth is not None
    assert torch.equal(blind.with_true_sigma().sigma, blind.truth.sigma)  # type: ignore[arg-type]
    honest = blind.without_truth()
    assert honest.truth is None
    with pytest.raises(ValueError, match="truth"):
        honest.with_true_sigma()


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
        Observation(torch.zeros(y), Identity(), torch.ones(m), torch.zeros(sigma))
