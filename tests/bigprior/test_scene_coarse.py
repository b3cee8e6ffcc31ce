"""The coarse grid of the scene prior: cells, what an observation says of them, and windows of long images."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from bigprior.priors.scene.coarse import (
    DETAIL,
    EXACT,
    FILLED,
    MULTIPLE,
    STRONGEST,
    Grid,
    coarse_problem,
    distance,
    reflected,
)
from bigprior.priors.scene.windows import Windowed, starts
from bigprior.smooth_fill import smooth_fill
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking
from datasets.task import Key
from tests.datasets.halving import Halve

GRIDS = [Grid(33, 47, 5), Grid(40, 32, 4), Grid(9, 7, 1), Grid(8, 21, 10)]


def image(h: int, w: int, n: int = 2, channels: int = 3, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, h, w, generator=random, dtype=torch.float64)


@pytest.mark.parametrize(
    ("size", "factor", "shape"),
    [((256, 256), 4, (64, 64)), ((321, 481), 5, (65, 97)), ((33, 47), 1, (33, 47)), ((512, 300), 5, (103, 60))],
)
def test_the_short_side_has_about_64_cells(size: tuple[int, int], factor: int, shape: tuple[int, int]) -> None:
    grid = Grid.of(*size)
    assert (grid.factor, grid.shape) == (factor, shape)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_spreading_is_the_adjoint_of_adding_up(grid: Grid) -> None:
    x, cells = image(grid.height, grid.width), image(*grid.shape, seed=1)
    torch.testing.assert_close((grid.total(x) * cells).sum(), (x * grid.spread(cells)).sum())


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_coarse_image_keeps_the_sum_and_constants(grid: Grid) -> None:
    x = image(grid.height, grid.width)
    torch.testing.assert_close((grid.mean(x) * grid.count(x)).sum(dim=(2, 3)), x.sum(dim=(2, 3)))
    torch.testing.assert_close(grid.mean(grid.spread(grid.mean(x))), grid.mean(x))
    flat = torch.full_like(x, 0.3)
    torch.testing.assert_close(grid.mean(flat), torch.full_like(grid.mean(x), 0.3))
    torch.testing.assert_close(grid.enlarge(grid.mean(flat)), flat)


def test_whole_cells_are_means_by_area() -> None:
    x = image(40, 32)
    torch.testing.assert_close(Grid(40, 32, 4).mean(x), avg_pool2d(x, 4))


def test_an_enlarged_ramp_has_the_means_of_the_ramp_inside() -> None:
    grid = Grid(48, 64, 4)
    ramp = torch.linspace(0, 1, 64, dtype=torch.float64).expand(1, 3, 48, 64)
    back = grid.mean(grid.enlarge(grid.mean(ramp)))
    torch.testing.assert_close(back[..., 3:-3, 3:-3], grid.mean(ramp)[..., 3:-3, 3:-3])


def test_unknown_pixels_have_no_say() -> None:
    grid, x = Grid(10, 12, 4), image(10, 12)
    mask = (image(10, 12, channels=1, seed=2) > 0.4).double()
    mask[..., :4, :4] = 0
    found, share = grid.known_mean(x, mask)
    lost = grid.known_mean(torch.where(mask > 0, x, 7.0), mask)[0]
    torch.testing.assert_close(found, lost)
    cell, seen = x[0, 1, 4:8, 8:12], mask[0, 0, 4:8, 8:12] > 0
    torch.testing.assert_close(found[0, 1, 1, 2], cell[seen].mean())
    torch.testing.assert_close(share[0, 0, 1, 2], seen.double().mean())
    torch.testing.assert_close(share[0, 0, 2, 0], mask[0, 0, 8:10, :4].mean(), msg="a cell that the image cuts")
    assert share[0, 0, 0, 0] == 0
    assert (found[..., 0, 0] == 0).all()


def noisy(x: Tensor, sigma: tuple[float, float]) -> Observation:
    return Observation(x, Identity(), Gaussian(torch.tensor(sigma, dtype=x.dtype)))


def test_the_mean_of_noisy_pixels_is_less_noisy() -> None:
    """σ/√n of n pixels, on a scale twice as wide; fewer pixels at the border have more of it."""
    x = image(130, 129)
    coarse = coarse_problem(noisy(x, (0.1, 0.2)))
    problem, (h, w) = coarse.problem, coarse.grid.shape
    assert coarse.grid.factor == 2
    noise = (problem.sigma[:, None, None] / problem.weight[:, 0])[:, :h, :w]  # type: ignore[attr-defined]
    torch.testing.assert_close(noise[:, 0, 0], torch.tensor([0.1, 0.2], dtype=x.dtype))
    torch.testing.assert_close(noise[:, 0, -1], torch.tensor([0.1, 0.2], dtype=x.dtype) * 2**0.5)
    seen = coarse.image(problem.project(torch.zeros(problem.shape, dtype=x.dtype)))
    torch.testing.assert_close(seen, coarse.grid.mean(x))


def test_averaged_noise_has_the_deviation_that_is_told() -> None:
    noise = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    y = 0.5 + 0.2 * noise
    coarse = coarse_problem(Observation(y, Identity(), Gaussian(torch.tensor([0.2]))))
    found = 2 * coarse.grid.mean(0.2 * noise)
    told = coarse.problem.sigma / coarse.problem.weight  # type: ignore[attr-defined]
    assert float(found.std()) == pytest.approx(float(told.mean()), rel=0.02)


def test_holes_are_seen_as_far_as_their_cells_are_known() -> None:
    x = image(256, 192).float()
    mask = torch.ones(2, 1, 256, 192)
    mask[..., 90:150, 60:121] = 0
    coarse = coarse_problem(Observation(x * mask, Masking(mask), NoNoise()))
    problem, (h, w) = coarse.problem, coarse.grid.shape
    share = coarse.grid.known_mean(x, mask)[1]
    weight = problem.weight[..., :h, :w]  # type: ignore[attr-defined]
    away = distance((share > 0).float())
    torch.testing.assert_close(weight[share == 0], EXACT / (FILLED * away[share == 0]))
    torch.testing.assert_close(weight[share == 1], torch.ones_like(weight[share == 1]))
    part = (share > 0) & (share < 1)
    assert part.any()
    torch.testing.assert_close(EXACT / weight[part], 2 * DETAIL * (1 - share[part]).sqrt())
    seen = coarse.image(problem.project(torch.zeros(problem.shape)))
    whole = (share == 1).expand_as(seen)
    torch.testing.assert_close(seen[whole], coarse.grid.mean(x)[whole])
    torch.testing.assert_close(problem.largest_noise(), FILLED * away.flatten(1).amax(dim=1))
    fill = smooth_fill(torch.where(share > 0, coarse.grid.known_mean(x, mask)[0], 0), (share > 0).float())
    hole = (share == 0).expand_as(seen)
    torch.testing.assert_close(seen[hole], fill[hole])


def test_distance_is_that_to_the_nearest_known_cell() -> None:
    """Brute force over all known cells; without any, nothing is near."""
    seen = (torch.rand(2, 1, 9, 7, generator=torch.Generator().manual_seed(3)) > 0.8).float()
    for n in range(2):
        known = seen[n, 0].nonzero().float()
        for i in range(9):
            for j in range(7):
                nearest = (known - torch.tensor([i, j])).norm(dim=1).min()
                assert float(distance(seen)[n, 0, i, j]) == pytest.approx(float(nearest))
    assert torch.isinf(distance(torch.zeros(1, 1, 3, 4))).all()


def test_an_image_of_which_nothing_is_known_is_drawn_from_the_prior() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    problem = coarse_problem(Observation(torch.zeros(1, 3, 64, 64), Masking(mask), NoNoise())).problem
    assert torch.isinf(problem.largest_noise()).all()


def test_the_luma_of_the_mean_is_the_mean_of_the_luma() -> None:
    x = image(130, 195)
    coarse = coarse_problem(Observation(Luma().forward(x), Luma(), NoNoise()))
    truth = reflected(2 * coarse.grid.mean(x) - 1)
    torch.testing.assert_close(coarse.problem.forward(truth), coarse.problem.y)
    torch.testing.assert_close(coarse.problem.largest_noise(), torch.full((2,), STRONGEST, dtype=x.dtype))


@pytest.mark.parametrize("channels", [1, 3])
def test_problems_have_exact_adjoints(channels: int) -> None:
    x = image(101, 67, channels=channels)
    mask = (image(101, 67, channels=1, seed=3) > 0.3).double()
    observations = [noisy(x, (0.1, 0.3)), Observation(x * mask, Masking(mask), NoNoise())]
    observations += [Observation(x, Luma(), NoNoise())] if channels == 1 else []
    for observation in observations:
        problem = coarse_problem(observation).problem
        assert all(side % MULTIPLE == 0 for side in problem.shape[2:])
        z = torch.randn(problem.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        y = torch.randn(problem.y.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        torch.testing.assert_close((problem.forward(z) * y).sum(), (z * problem.adjoint(y)).sum())


def test_what_it_does_not_know_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^the scene prior does not know the operator Halving: it knows Identity"):
        coarse_problem(Halve().degrade(torch.rand(3, 32, 32), Key(0, "", "")).without_truth())
    with pytest.raises(ValueError, match=r"^the noise of this observation is hidden: give its level$"):
        coarse_problem(Observation(torch.rand(1, 3, 16, 16), Identity(), None))


@pytest.mark.parametrize("length", [8, 64, 65, 97, 200])
def test_windows_cover_an_axis_and_overlap(length: int) -> None:
    found = starts(length, 64)
    assert found[0] == 0
    assert found[-1] + min(length, 64) == length
    assert all(0 < after - before <= 64 - 64 // 3 for before, after in pairwise(found))


def test_a_map_of_pixels_is_the_same_in_windows() -> None:
    asked = []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append(tuple(x.shape[2:]))
        return x / (1 + sigma.view(-1, 1, 1, 1))

    x, sigma = image(72, 200), torch.tensor([0.5, 2.0], dtype=torch.float64)
    torch.testing.assert_close(Windowed(denoise)(x, sigma), x / (1 + sigma.view(-1, 1, 1, 1)))
    assert set(asked) == {(64, 64)}
    asked.clear()
    Windowed(denoise)(x[..., :48, :56], sigma)
    assert asked == [(48, 56)]


def test_windows_leave_no_seams() -> None:
    """Windows that disagree by 1: the mean goes from one to the other in small steps."""
    count = 0

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return torch.full_like(x, float(count))

    row = Windowed(denoise)(image(64, 107), torch.ones(2))[0, 0, 0]
    assert (row[0], row[-1]) == (1, 2)
    assert float(row.diff().abs().max()) < 0.1
