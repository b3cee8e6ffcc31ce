"""Masks with a guarantee: the bounds hold on exchangeable images, are not far from met, and fail under shift."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.reliance.data import Floats
from benchmarks.trust.conformal import NOTHING, at, grid, image_threshold, losses, risk_thresholds
from benchmarks.trust.guarantee import masks
from benchmarks.trust.maps import Maps
from datasets.errors import SuiteError


def image(random: np.random.RandomState, pixels: int = 400, harder: float = 1.0) -> tuple[Floats, NDArray[np.bool_]]:
    """A predictor and errors that follow it, of an image of its own difficulty; 40% of pixels are wrong or so.

    Args:
        harder: times as large are the errors as the predictor says.
    """
    scale = np.exp(0.5 * random.randn())
    spread = scale * random.exponential(size=pixels)
    return spread, np.abs(harder * spread * random.randn(pixels)) > 0.6


def many(random: np.random.RandomState, count: int, harder: float = 1.0) -> tuple[Floats, Floats]:
    """Losses and kept shares (count,T) of as many images."""
    curves = [losses(*image(random, harder=harder), THRESHOLDS) for _ in range(count)]
    return np.stack([loss for loss, _ in curves]), np.stack([kept for _, kept in curves])


THRESHOLDS = np.append(np.linspace(0, 8, 400), np.inf)


def test_losses_count_what_is_kept_and_wrong() -> None:
    predictor, wrong = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, True, False])
    loss, kept = losses(predictor, wrong, np.array([0.0, 1.0, 2.0, 3.0, np.inf]))
    np.testing.assert_array_equal(loss, [0, 0, 0.25, 0.5, 0.5])  # equal values are kept or given up together
    np.testing.assert_array_equal(kept, [0, 0.25, 0.75, 1, 1])


def test_the_grid_ends_in_keeping_everything() -> None:
    found = grid([np.array([1.0, 1.0, 5.0]), np.array([2.0])])
    np.testing.assert_array_equal(found, [1, 2, 5, np.inf])
    assert len(grid([np.random.RandomState(0).rand(5000)], 100)) == 101


def test_the_threshold_of_risk_by_hand() -> None:
    """n = 9: (Σ L + K)/10 ≤ α, of a next image that is kept whole and of one that is kept by and by."""
    calibration = np.tile([0.0, 0.1, 0.12, 0.5], (9, 1))
    kept = np.array([[1.0, 1.0, 1.0, 1.0], [0.1, 0.4, 0.8, 1.0]])
    assert risk_thresholds(calibration, kept, 0.2).tolist() == [1, 2]
    assert risk_thresholds(calibration, kept, 0.99).tolist() == [3, 3]
    assert risk_thresholds(calibration, kept, 0.05).tolist() == [NOTHING, 0]
    np.testing.assert_array_equal(at(kept, np.array([NOTHING, 2])), [0, 0.8])
    np.testing.assert_array_equal(at(kept, 1), [1, 0.4])


def test_the_threshold_of_images_by_hand() -> None:
    """n = 9, α = 0.2: the second smallest of the largest thresholds that an image bears."""
    calibration = np.zeros((9, 5))
    for number in range(9):
        calibration[number, 1 + number // 3 :] = 1
    assert image_threshold(calibration, 0.2, 0.5) == 0
    assert image_threshold(calibration, 0.5, 0.5) == 1
    assert image_threshold(calibration, 0.05, 0.5) == NOTHING


@pytest.mark.parametrize(("n", "alpha"), [(20, 0.1), (60, 0.1), (20, 0.2)])
def test_the_mean_risk_keeps_the_bounds(n: int, alpha: float) -> None:
    """α − 2/(n + 1) ≤ E L ≤ α, over many calibrations, each tried on images of its own."""
    random = np.random.RandomState(0)
    loss, kept = many(random, 1500)
    found = []
    for _ in range(800):
        chosen = random.choice(len(loss), n + 20, replace=False)
        fit, new = chosen[:n], chosen[n:]
        found.append(at(loss[new], risk_thresholds(loss[fit], kept[new], alpha)).mean())
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) <= alpha + 3 * error
    assert np.mean(found) >= alpha - 2 / (n + 1) - 3 * error
    assert loss[:, -1].mean() > alpha + 0.1, "a mask was needed"


def test_the_bound_is_met_where_all_that_is_kept_is_wrong() -> None:
    """Then K = L, and the threshold is the one that knows the next image too: E L = α, less what the grid costs."""
    random = np.random.RandomState(4)
    scale = np.exp(random.randn(1500, 1))
    curves = np.minimum(1, np.linspace(0, 4, 2000) * scale)
    found = []
    for _ in range(800):
        chosen = random.choice(len(curves), 30, replace=False)
        fit, new = curves[chosen[:10]], curves[chosen[10:]]
        found.append(at(new, risk_thresholds(fit, new, 0.3)).mean())
    assert np.mean(found) == pytest.approx(0.3, abs=3 * np.std(found) / np.sqrt(len(found)) + 0.002)


@pytest.mark.parametrize(("n", "alpha"), [(19, 0.1), (60, 0.2)])
def test_the_share_of_images_keeps_the_bounds(n: int, alpha: float) -> None:
    random = np.random.RandomState(1)
    pool, _ = many(random, 1500)
    found = []
    for _ in range(800):
        chosen = random.choice(len(pool), n + 20, replace=False)
        index = image_threshold(pool[chosen[:n]], alpha, 0.1)
        found.append((at(pool[chosen[n:]], index) <= 0.1).mean())
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) >= 1 - alpha - 3 * error
    assert np.mean(found) <= 1 - alpha + 1 / (n + 1) + 0.02 + 3 * error  # 0.02: thresholds of one grid are equal


def test_shift_breaks_the_promise_and_a_worse_predictor_does_not() -> None:
    random = np.random.RandomState(2)
    calibration, _ = many(random, 300)
    loss, kept = many(random, 300, harder=3)
    assert at(loss, risk_thresholds(calibration, kept, 0.1)).mean() > 0.13
    blind = [(random.rand(400), image(random)[1]) for _ in range(600)]
    thresholds = np.append(np.linspace(0, 1, 200), np.inf)
    curves = [losses(predictor, wrong, thresholds) for predictor, wrong in blind]
    loss, kept = (np.stack(each) for each in zip(*curves, strict=True))
    chosen = risk_thresholds(loss[:300], kept[300:], 0.1)
    assert at(loss[300:], chosen).mean() == pytest.approx(0.1, abs=0.01)
    assert at(kept[300:], chosen).mean() < 0.5, "it keeps less"


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_level_that_is_no_share(alpha: float) -> None:
    for choose in (
        lambda: risk_thresholds(np.zeros((3, 2)), np.ones((1, 2)), alpha),
        lambda: image_threshold(np.zeros((3, 2)), alpha, 0.1),
    ):
        with pytest.raises(SuiteError, match=r"is out of range: give a share between 0 and 1, such as 0\.1\."):
            choose()


def test_no_images_of_calibration() -> None:
    with pytest.raises(SuiteError, match="no images of calibration: give a set that has a training split"):
        risk_thresholds(np.zeros((0, 5)), np.ones((1, 5)), 0.1)


def maps(random: np.random.RandomState) -> Maps:
    spread = random.exponential(size=(16, 16))
    region = np.ones((16, 16), bool)
    region[:, :4] = False
    return Maps(np.abs(spread * random.randn(16, 16)), region, {"variance": spread}, np.zeros((0, 16, 16)), {})


def test_masks_of_two_sets_and_a_shift() -> None:
    random = np.random.RandomState(3)
    sets = {name: [maps(random) for _ in range(30)] for name in ("a", "b")}
    tests = {name: [maps(random) for _ in range(50)] for name in ("a", "b")}
    table = masks(sets, tests, "variance", 1.0, 0.1, 0.15, {"harder": tests})
    assert len(table) == 3 * 6
    assert set(table.tested) == {"a", "b", "all sets", "a, harder", "b, harder", "all sets, harder"}
    own = table[(table.calibrated == "all sets") & (table.tested == "all sets")].iloc[0]
    assert own.n == 60
    assert 0.88 < own.coverage < 0.93
    assert 0.88 < own.resampled < 0.93
    assert own.bare < own.coverage < own.pure + 0.1
    assert 0 < own.kept < 1
