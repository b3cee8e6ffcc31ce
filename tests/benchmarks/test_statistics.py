"""Bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import bootstrap_interval, bootstrap_means, not_worse


def test_interval_agrees_with_scipy() -> None:
    values = np.random.RandomState(3).gamma(2.0, size=40)
    reference = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    width = reference.high - reference.low
    low, high = bootstrap_interval(values)
    assert low == pytest.approx(reference.low, abs=0.03 * width)
    assert high == pytest.approx(reference.high, abs=0.03 * width)


def test_interval_is_reproducible_and_equivariant() -> None:
    values = np.random.RandomState(4).normal(size=25)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(3 * values + 2) == pytest.approx((3 * low + 2, 3 * high + 2))


def test_bootstrap_variance_is_the_closed_form() -> None:
    values = np.random.RandomState(5).normal(size=30)
    assert bootstrap_means(values).std() == pytest.approx(values.std() / np.sqrt(30), rel=0.03)


def test_coverage_of_the_mean() -> None:
    """On normal data of n = 50 the percentile interval holds the true mean about 95% of the time."""
    random = np.random.RandomState(6)
    hits = 0
    for _ in range(400):
        low, high = bootstrap_interval(random.normal(1.0, size=50))
        hits += low <= 1.0 <= high
    assert 0.91 <= hits / 400 <= 0.98


def test_fewer_than_two_values_have_no_interval() -> None:
    assert np.isnan(bootstrap_interval(np.array([1.0]))).all()
    assert np.isnan(bootstrap_interval(np.array([]))).all()


def test_a_constant_difference_is_significant_and_noise_is_not() -> None:
    random = np.random.RandomState(7)
    best = 30 + 3 * random.normal(size=20)
    assert not not_worse(best - 0.5, best, higher_is_better=True), "0.5 dB on every image, though images vary by 3 dB"
    assert not_worse(best + random.normal(size=20), best, higher_is_better=True)
    assert not not_worse(best + 0.5, best, higher_is_better=False)
    assert not_worse(best, best, higher_is_better=True)
