"""What warns of error: areas, ranks, variances, the Hallucination Index, each against a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr, t

from benchmarks.trust.hallucination_index import ROUNDING, hallucination_index
from benchmarks.trust.ranks import spearman
from benchmarks.trust.sparsification import areas
from benchmarks.trust.spread import bins, inflation, ratio

ERRORS = np.random.RandomState(0).exponential(size=2000)


# --- risk–coverage ---------------------------------------------------------------------------------------------------


def test_the_order_of_the_errors_is_perfect_and_only_the_order_counts() -> None:
    found = areas(ERRORS, ERRORS)
    assert found.ause == 0
    assert found.aurc < 1
    assert areas(np.exp(3 * ERRORS) - 7, ERRORS) == found
    assert found.reversed > found.random > 0


def test_reversed_is_the_other_order() -> None:
    noisy = ERRORS + np.random.RandomState(1).randn(2000)
    assert areas(-noisy, ERRORS).ause == areas(noisy, ERRORS).reversed
    assert areas(-noisy, ERRORS).reversed == pytest.approx(areas(noisy, ERRORS).ause)


def test_a_random_predictor_has_the_area_of_a_random_order() -> None:
    random = np.random.RandomState(2)
    found = [areas(random.rand(2000), ERRORS) for _ in range(100)]
    assert np.mean([each.ause for each in found]) == pytest.approx(found[0].random, rel=0.02)
    assert np.mean([each.aurc for each in found]) == pytest.approx(1, rel=0.01)


def test_a_constant_is_random() -> None:
    found = areas(np.ones(2000), ERRORS)
    assert found.ause == pytest.approx(found.random)
    assert found.aurc == pytest.approx(1)


def test_areas_of_a_ramp() -> None:
    """Errors 1 … n in their own order: the risk at coverage c is (cn + 1)/(n + 1), so AURC is near ½."""
    ramp = np.arange(1, 10001, dtype=float)
    coverages = np.arange(1, 101) / 100
    assert areas(ramp, ramp).aurc == pytest.approx(np.mean((coverages * 10000 + 1) / 10001))
    assert areas(ramp, ramp).random == pytest.approx(1 - areas(ramp, ramp).aurc)


def test_no_error_has_no_area() -> None:
    assert all(math.isnan(value) for value in areas(ERRORS, np.zeros(2000)))


# --- ranks -----------------------------------------------------------------------------------------------------------


def test_spearman_is_that_of_scipy_with_ties() -> None:
    a, b = np.round(ERRORS, 1), np.round(ERRORS + np.random.RandomState(3).randn(2000), 1)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert spearman(a, np.exp(a)) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)
    assert math.isnan(spearman(np.ones(2000), b))


# --- variance --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draws", [2, 4, 16])
def test_the_truth_as_one_more_draw_is_calibrated(draws: int) -> None:
    random = np.random.RandomState(4)
    scale = np.exp(random.randn(100_000))
    posterior, truth = scale * random.randn(draws, 100_000), scale * random.randn(100_000)
    variance, error = posterior.var(axis=0, ddof=1), (posterior.mean(axis=0) - truth) ** 2
    assert ratio(variance, error, draws) == pytest.approx(1, abs=0.05)
    within = np.mean(error <= inflation(draws) * variance)
    assert within == pytest.approx(t.cdf(1, draws - 1) - t.cdf(-1, draws - 1), abs=0.005)


def test_bins_say_where_a_variance_is_too_small() -> None:
    variance = np.repeat(np.arange(1.0, 11.0), 100)
    table = bins(variance, 4 * inflation(8) * variance, 8)
    assert list(table.pixels) == [100] * 10
    np.testing.assert_allclose(table.ratio, 4)
    np.testing.assert_allclose(table.measured, 2 * table.expected)
    assert math.isnan(ratio(np.zeros(5), np.ones(5), 8))


# --- the Hallucination Index -----------------------------------------------------------------------------------------


def test_draws_that_scatter_about_the_truth_invent_nothing() -> None:
    random = np.random.RandomState(5)
    clean = torch.from_numpy(random.rand(2, 3, 24, 24))
    noise = torch.from_numpy(random.randn(400, 2, 3, 24, 24))
    assert float(hallucination_index(clean + 0.1 * noise, clean).max()) < 0.06
    far = hallucination_index(clean + 1 + 0.1 * noise, clean)
    assert float(far.min()) > 0.99


def test_the_index_is_the_hellinger_distance_of_two_normals() -> None:
    """Two draws m ± s/√2 have mean m and variance s²; one τ for all: here s, so H² = 1 − exp(−(m − x)²/(8 s²))."""
    clean = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    draws = torch.stack([clean + 0.3 + 0.05, clean + 0.3 - 0.05])
    variance = 2 * 0.05**2 + ROUNDING
    expected = math.sqrt(1 - math.exp(-(0.3**2) / (8 * variance)))
    assert float(hallucination_index(draws, clean)) == pytest.approx(expected)


def test_the_index_of_one_image_and_of_a_region() -> None:
    clean = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert float(hallucination_index(clean[None], clean)) == pytest.approx(0, abs=1e-7)
    wrong = clean.clone()
    wrong[..., :4] += 0.2
    left = torch.zeros(1, 1, 8, 8)
    left[..., :4] = 1
    assert float(hallucination_index(wrong[None], clean, left)) == pytest.approx(1)
    assert float(hallucination_index(wrong[None], clean, 1 - left)) == pytest.approx(0, abs=1e-7)


def test_the_index_refuses_what_does_not_fit() -> None:
    clean = torch.rand(1, 3, 8, 8)
    with pytest.raises(ValueError, match=r"draws must be \(K,1, 3, 8, 8\)"):
        hallucination_index(clean, clean)
    with pytest.raises(ValueError, match="no pixels"):
        hallucination_index(clean[None], clean, torch.zeros(1, 1, 8, 8))
