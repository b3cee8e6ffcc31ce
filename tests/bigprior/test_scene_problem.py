"""Linear problems of the scene prior: adjoints, pseudo-inverses, proximal points, components."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bigprior.priors.scene.problem import (
    AnyLinear,
    Convolved,
    KnownLuma,
    KnownPixels,
    LinearProblem,
    Noisy,
    Repeated,
)
from datasets.operators import Luma

N, H, W = 2, 4, 5
SIGMA = torch.tensor([0.0, 0.3], dtype=torch.float64)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noisy() -> LinearProblem:
    return Noisy(numbers(N, 3, H, W), SIGMA)


def pixels() -> LinearProblem:
    weight = numbers(N, 1, H, W, seed=1).clamp_min(0)
    assert 0 < (weight == 0).double().mean() < 1
    return KnownPixels(weight * numbers(N, 3, H, W), SIGMA, weight)


def luma() -> LinearProblem:
    return KnownLuma(numbers(N, 1, H, W), SIGMA)


def blur() -> LinearProblem:
    kernel = torch.zeros(1, 1, H, W, dtype=torch.float64)
    kernel[..., :2, :2] = 0.25  # blind at the highest vertical frequency
    return Convolved(numbers(N, 3, H, W), SIGMA, torch.fft.rfft2(kernel))


def generic() -> LinearProblem:
    known = pixels()
    return AnyLinear(known.y, SIGMA, known.shape, known.forward, known.adjoint, tolerance=1e-12)


def repeated() -> LinearProblem:
    return Repeated(pixels(), 3)


ALL = pytest.mark.parametrize("make", [noisy, pixels, luma, blur, generic, repeated])
SPECTRAL = pytest.mark.parametrize("make", [noisy, pixels, luma, blur, repeated])


def matrix(problem: LinearProblem, image: int) -> Tensor:
    """A of one image, by columns."""
    count = 3 * problem.shape[2] * problem.shape[3]
    columns = []
    for k in range(count):
        x = torch.zeros(problem.shape, dtype=torch.float64)
        x[image].view(-1)[k] = 1
        columns.append(problem.forward(x)[image].flatten())
    return torch.stack(columns, dim=1)


@ALL
def test_adjoint(make: Callable[[], LinearProblem]) -> None:
    problem = make()
    x, y = numbers(*problem.shape, seed=2), numbers(*problem.y.shape, seed=3)
    torch.testing.assert_close((problem.forward(x) * y).sum(), (x * problem.adjoint(y)).sum())


@ALL
def test_the_proximal_point_solves_its_equations(make: Callable[[], LinearProblem]) -> None:
    problem = make()
    z, rho = numbers(*problem.shape, seed=4), torch.rand(problem.shape[0], dtype=torch.float64) + 0.1
    x = problem.prox(z, rho)
    gradient = problem.adjoint(problem.forward(x) - problem.y) + rho[:, None, None, None] * (x - z)
    torch.testing.assert_close(gradient, torch.zeros_like(z), rtol=0, atol=1e-9)


@ALL
def test_the_projection_is_that_of_the_pseudo_inverse(make: Callable[[], LinearProblem]) -> None:
    problem = make()
    z = numbers(*problem.shape, seed=5)
    found = problem.project(z)
    for image in range(problem.shape[0]):
        a = matrix(problem, image)
        inverse = torch.linalg.pinv(a, rtol=1e-10)
        expected = z[image].flatten() + inverse @ (problem.y[image].flatten() - a @ z[image].flatten())
        torch.testing.assert_close(found[image].flatten(), expected, rtol=0, atol=1e-8)


@SPECTRAL
def test_components_are_the_singular_vectors(make: Callable[[], LinearProblem]) -> None:
    problem = make()
    x = numbers(*problem.shape, seed=6)
    # s² = (σ/τ)²: weighting each component with it is AᵀA.
    image = problem.filtered(x, lambda tau: torch.where(torch.isinf(tau), 0, (problem.sigma[1] / tau).square()))
    torch.testing.assert_close(image[1::2], problem.adjoint(problem.forward(x))[1::2])
    # Where y is exact, what is seen has τ = 0, and the rest τ = ∞: the projection on the range of Aᵀ.
    seen = problem.filtered(x, lambda tau: (tau == 0).to(tau))
    zero = problem.project(torch.zeros_like(x))
    torch.testing.assert_close(seen[0], (x - problem.project(x) + zero)[0], rtol=0, atol=1e-12)


@SPECTRAL
def test_the_largest_noise_is_that_of_the_worst_component(make: Callable[[], LinearProblem]) -> None:
    problem = make()
    for image, found in enumerate(problem.largest_noise()):
        singular = torch.linalg.svdvals(matrix(problem, image))
        rank = int((singular > 1e-10).sum())
        expected = problem.sigma[image] / singular[-1] if rank == 3 * H * W else torch.tensor(torch.inf)
        torch.testing.assert_close(found, expected.double())


def test_luma_is_that_of_the_suite() -> None:
    image = torch.rand(2, 3, H, W, dtype=torch.float64)
    y = 2 * Luma().forward(image) - 1
    torch.testing.assert_close(KnownLuma(y, SIGMA).forward(2 * image - 1), y)


def test_values_of_the_images_reach_the_gain() -> None:
    problem, x = repeated(), numbers(3 * N, 3, H, W)
    values = torch.arange(3 * N, dtype=torch.float64)
    found = problem.filtered(x, lambda tau, value: value.expand_as(tau), values)
    torch.testing.assert_close(found, values[:, None, None, None] * x)


def test_conjugate_gradients_end_alone_as_in_a_batch() -> None:
    z, rho = numbers(N, 3, H, W, seed=7), torch.tensor([0.0, 2.0], dtype=torch.float64)
    known = pixels()
    both = AnyLinear(known.y, SIGMA, known.shape, known.forward, known.adjoint).prox(z, rho)
    assert isinstance(known, KnownPixels)
    for k in range(N):
        own = KnownPixels(known.y[k : k + 1], SIGMA[k : k + 1], known.weight[k : k + 1])
        alone = AnyLinear(own.y, own.sigma, own.shape, own.forward, own.adjoint).prox(z[k : k + 1], rho[k : k + 1])
        torch.testing.assert_close(alone[0], both[k])


def test_conjugate_gradients_know_no_components() -> None:
    with pytest.raises(ValueError, match="diffpir and dps") as caught:
        generic().filtered(numbers(N, 3, H, W), torch.ones_like)
    assert "\n" not in str(caught.value)
