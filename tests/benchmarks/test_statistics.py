"""Bootstrap intervals, the signed-rank test, Holm's correction and win rates, against scipy and known answers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import special, stats

from benchmarks.tables import statistics
from benchmarks.tables.statistics import (
    COVERAGE,
    Floats,
    bootstrap_interval,
    bootstrap_intervals,
    bootstrap_means,
    holm,
    signed_rank,
    smallest_p,
    win_rates,
)


def test_interval_agrees_with_scipy() -> None:
    """The expanded percentile interval is scipy's percentile interval at the level that the expansion names."""
    values = np.random.RandomState(3).gamma(2.0, size=40)
    tail = special.ndtr(-np.sqrt(40 / 39) * stats.t.ppf(0.975, 39))
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", confidence_level=1 - 2 * tail, rng=1
    ).confidence_interval
    width = reference.high - reference.low
    low, high = bootstrap_interval(values)
    assert low == pytest.approx(reference.low, abs=0.03 * width)
    assert high == pytest.approx(reference.high, abs=0.03 * width)


def test_interval_is_nearly_students_on_normal_data() -> None:
    values = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    low, high = bootstrap_interval(values)
    student = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(student, rel=0.03)


def test_interval_is_reproducible_and_equivariant() -> None:
    values = np.random.RandomState(4).normal(size=25)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(3 * values + 2) == pytest.approx((3 * low + 2, 3 * high + 2))
    assert bootstrap_interval(-values) == pytest.approx((-high, -low), abs=0.02)


def test_columns_have_the_intervals_of_each_by_itself() -> None:
    columns = np.random.RandomState(5).normal(size=(20, 3))
    low, high = bootstrap_intervals(columns)
    for k in range(3):
        assert (low[k], high[k]) == pytest.approx(bootstrap_interval(columns[:, k]), rel=1e-12)


def test_bootstrap_variance_is_the_closed_form() -> None:
    values = np.random.RandomState(5).normal(size=30)
    assert bootstrap_means(values).std() == pytest.approx(values.std() / np.sqrt(30), rel=0.03)


def _skewed(random: np.random.RandomState, size: tuple[int, int]) -> Floats:
    return random.gamma(2.0, size=size) - 2


def _difference(random: np.random.RandomState, size: tuple[int, int]) -> Floats:
    """Two methods on the same images: what an image is like is common to both and falls out."""
    image = 30 + 3 * random.normal(size=size)
    return (image + 0.3 * random.standard_t(5, size=size)) - (image + 0.2 * random.normal(size=size))


def coverage(draw: object, n: int, trials: int = 1500) -> float:
    """How often the interval of n draws holds their true mean, zero."""
    random, hits = np.random.RandomState(6), 0
    for _ in range(trials // 500):
        low, high = bootstrap_intervals(draw(random, (n, 500)))  # type: ignore[operator]
        hits += int(((low <= 0) & (high >= 0)).sum())
    return hits / trials


@pytest.mark.parametrize("draw", [lambda r, size: r.normal(size=size), _skewed, _difference])
def test_coverage_at_fifty_images(draw: object) -> None:
    assert 0.93 <= coverage(draw, 50) <= 0.97


def test_coverage_at_twelve_images() -> None:
    """Where the plain percentile interval holds 91.5%."""
    assert 0.93 <= coverage(lambda r, size: r.normal(size=size), 12) <= 0.97


@pytest.mark.parametrize("n", [5, *(pytest.param(n, marks=pytest.mark.slow) for n in COVERAGE if n != 5)])
def test_coverage_of_few_images_is_what_the_tables_say(n: int) -> None:
    """Normal, uniform and exponential data, 5,000 sets of n each: half a percent of standard error."""
    draws = (
        lambda r, size: r.normal(size=size),
        lambda r, size: r.uniform(-1, 1, size=size),
        lambda r, size: r.exponential(size=size) - 1,
    )
    shares = [100 * coverage(draw, n, trials=5_000) for draw in draws]
    low, high = COVERAGE[n]
    assert min(shares) == pytest.approx(low, abs=2)
    assert max(shares) == pytest.approx(high, abs=2)


def test_fewer_than_two_values_have_no_interval() -> None:
    assert np.isnan(bootstrap_interval(np.array([1.0]))).all()
    assert np.isnan(bootstrap_interval(np.array([]))).all()


@pytest.mark.parametrize("n", [5, 12, 30, 68])
def test_signed_rank_is_scipys(n: int) -> None:
    """One column at a time, whatever stands beside it: zeros, ties, only zeros."""
    random = np.random.RandomState(n)
    plain, shifted, tied, zeros = random.normal(size=(4, n))
    columns = np.stack([plain, shifted + 1, tied.round(1), np.where(zeros < 0, 0, zeros), np.zeros(n)], axis=1)
    p, balance = signed_rank(columns)
    for k in range(4):
        assert p[k] == pytest.approx(stats.wilcoxon(columns[:, k], zero_method="pratt").pvalue, rel=1e-12)
    assert p[4] == 1
    assert balance[4] == 0
    assert balance[3] == 1
    # scipy's statistic is the smaller of the two rank sums, which add up to n(n+1)/2 without zeros.
    smaller, total = stats.wilcoxon(plain).statistic, n * (n + 1) / 2
    assert abs(balance[0]) == pytest.approx(1 - 2 * smaller / total)
    assert signed_rank(-columns)[1] == pytest.approx(-balance)


def test_the_smallest_p_is_reached_if_one_always_wins() -> None:
    for n in (3, 5, 12):
        assert signed_rank(np.arange(1.0, n + 1)[:, None])[0] == pytest.approx(smallest_p(n))


def test_holm_on_an_example_and_by_its_definition() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    p = np.random.RandomState(8).rand(9) ** 3
    ordered = np.sort(p)
    for value, adjusted in zip(p, holm(p), strict=True):
        rank = int(np.searchsorted(ordered, value))
        assert adjusted == pytest.approx(max(min(1, (9 - j) * ordered[j]) for j in range(rank + 1)))
    assert holm(np.array([])).size == 0


def test_family_wise_error_under_the_null() -> None:
    """Six equal methods on 30 images: in how many of 2000 worlds is any of the 15 pairs called different?"""
    trials, methods = 2000, 6
    random = np.random.RandomState(9)
    scores = random.normal(size=(30, trials, 1)) + 0.5 * random.standard_t(6, size=(30, trials, methods))
    pairs = list(combinations(range(methods), 2))
    differences = np.stack([scores[..., a] - scores[..., b] for a, b in pairs], axis=-1)
    p = signed_rank(differences.reshape(30, -1))[0].reshape(trials, len(pairs))
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.006), "each test alone keeps its level"
    assert (p.min(axis=1) <= 0.05).mean() > 0.2, "uncorrected, some pair is often called different"
    errors = np.mean([holm(row).min() <= 0.05 for row in p])
    assert 0.01 < errors <= 0.06


def test_holm_finds_what_is_there() -> None:
    random = np.random.RandomState(10)
    scores = 3 * random.normal(size=(50, 1)) + random.normal(size=(50, 3)) * 0.2 + np.array([0, 0, 0.5])
    differences = np.stack([scores[:, a] - scores[:, b] for a, b in combinations(range(3), 2)], axis=1)
    assert list(holm(signed_rank(differences)[0]) <= 0.05) == [False, True, True]


def test_win_rates_count_ties_half() -> None:
    gains = np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -3.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -2.0]])
    assert win_rates(gains) == pytest.approx([2.5 / 4, 0.5, 0.5 / 4])
    assert win_rates(gains) + win_rates(-gains) == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("n", [7, 60])
def test_resamples_in_blocks_are_those_of_one_piece(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What bounds the memory of large sets changes no resample."""
    values = np.random.RandomState(n).standard_normal((n, 3))
    whole = statistics.bootstrap_means(values, resamples=1000)
    monkeypatch.setattr(statistics, "AT_ONCE", 13 * n)
    statistics._counts_of_few.cache_clear()
    np.testing.assert_allclose(statistics.bootstrap_means(values, resamples=1000), whole, rtol=0, atol=1e-14)
    statistics._counts_of_few.cache_clear()


def test_resamples_of_many_values_follow_the_same_law() -> None:
    """Drawn value by value: n draws in each resample, every value as likely, counts of variance 1 − 1/n."""
    n = 3001
    counts = statistics._counts(n, 400, 0).astype(float)
    assert (counts.sum(axis=1) == n).all()
    assert counts.mean(axis=0).std() == pytest.approx(np.sqrt((1 - 1 / n) / 400), rel=0.05)
    assert counts.var() == pytest.approx(1 - 1 / n, rel=0.01)
    assert abs(np.corrcoef(counts[:, 0], counts[:, -1])[0, 1]) < 0.2


def test_intervals_hardly_depend_on_how_resamples_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.RandomState(1).exponential(size=(600, 1))
    by_counts = bootstrap_intervals(values)
    monkeypatch.setattr(statistics, "MANY", 100)
    by_values = bootstrap_intervals(values)
    width = by_counts[1] - by_counts[0]
    for one, other in zip(by_counts, by_values, strict=True):
        assert one != other
        assert abs(one - other) < 0.03 * width
