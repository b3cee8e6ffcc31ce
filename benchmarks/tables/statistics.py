"""How sure a comparison is: bootstrap intervals over images, the signed-rank test, Holm's correction, win rates."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 0
AT_ONCE = 500_000
"""Numbers of the bootstrap that are multiplied at once: 4 MB, which a cache holds."""
MANY = 1000
"""Values; resamples of more are drawn value by value, which is several times as fast as by their counts."""
LEVEL = 0.95
COVERAGE = {
    2: (47, 50), 3: (70, 75), 4: (82, 88), 5: (87, 92), 6: (89, 94), 7: (89, 94), 8: (90, 95), 9: (90, 95),
}  # fmt: skip
"""Number of images → least and greatest share, in percent, of the 95% intervals that hold the true mean.

Of normal, uniform and exponential data, 40,000 sets each; `tests/benchmarks/test_statistics.py` computes them again.
"""


def _counts(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """How often each of n values is in each resample (resamples, n); more than 255 times is out of the question."""
    return (_counts_of_many if n > MANY else _counts_of_few)(n, resamples, seed)


@lru_cache(maxsize=8)
def _counts_of_few(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    random, shares, rows = np.random.RandomState(seed), np.full(n, 1 / n), _rows(n)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    return np.concatenate([random.multinomial(n, shares, size=size).astype(np.uint8) for size in sizes])


@lru_cache(maxsize=1)  # a set of 20,000 takes 200 MB
def _counts_of_many(n: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """The same, drawn value by value: ⌊n U⌋ for U on a grid of 2⁻³², so that shares are 1/n within n 2⁻³² of it."""
    random = np.random.RandomState(seed)
    counts = np.empty((resamples, n), np.uint8)
    for line in counts:
        drawn = random.randint(0, 2**32, size=n, dtype=np.uint32).astype(np.uint64) * np.uint64(n) >> np.uint64(32)
        line[:] = np.bincount(drawn.astype(np.intp), minlength=n)
    return counts


def _rows(n: int) -> int:
    """How many resamples of n values are in memory as numbers of 8 bytes at once."""
    return max(1, AT_ONCE // n)


def bootstrap_means(values: Floats, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """Return the means of `resamples` resamples of n values, drawn with replacement.

    The seed is fixed: the same images are drawn for every method of equal n, and a table is reproducible.

    Args:
        values: (n,), or (n, k) for k columns resampled together.
    """
    n, rows = len(values), _rows(len(values))
    counts = _counts(n, resamples, seed)
    return np.concatenate([counts[s : s + rows] / n @ values for s in range(0, resamples, rows)])


def bootstrap_intervals(values: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return the ends (k,) of the expanded percentile intervals of the means of k columns (n, k).

    The percentile interval is too narrow by √((n−1)/n) and by the quantiles of the normal in place of Student's t.
    The expanded one (Hesterberg, What teachers should know about the bootstrap, The American Statistician 69(4),
    2015) reads the percentiles at α = Φ(−√(n/(n−1)) t(n−1)) instead: what a t interval has on normal data, with the
    skewness of the percentile interval. Its ends are NaN for fewer than two values.

    Assumes that the images are independent draws of the population one wants to speak of. On normal, uniform and
    exponential data the nominal 95% are 94 to 95% at n = 50 and 91 to 95% at n = 12; `COVERAGE` says what they are for
    fewer.
    """
    n = len(values)
    if n < 2:
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    tail = 100 * special.ndtr(np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, (1 - level) / 2))
    means = np.ascontiguousarray(bootstrap_means(values).T)
    low, high = np.percentile(means, [tail, 100 - tail], axis=1)
    return low, high


def bootstrap_interval(values: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Return the expanded percentile interval of the mean of n values; see `bootstrap_intervals`."""
    low, high = bootstrap_intervals(np.asarray(values)[:, None], level)
    return float(low[0]), float(high[0])


def signed_rank(differences: Floats) -> tuple[Floats, Floats]:
    """Wilcoxon's signed-rank test of k columns of paired differences (n, k), two-sided, one by one.

    Assumes that under the null hypothesis the differences are independent and symmetric about zero. Zeros are ranked
    and then dropped (Pratt 1959). The p-value is exact for up to 50 images, or 13 with ties or zeros, and from the
    normal approximation beyond.

    Returns:
        p (k,), 1 where all differences are zero; and the rank-biserial correlation (k,) in [−1,1], the difference of
        the positive and the negative rank sums over their sum (Kerby 2014): its sign says which way, its size how much.
    """
    from scipy import stats  # slow to import, and not needed to show a summary

    size = np.abs(differences)
    ordered = np.sort(size, axis=0)
    ranks = stats.rankdata(size, axis=0) * (size > 0)
    total = ranks.sum(axis=0)
    balance = (np.sign(differences) * ranks).sum(axis=0) / np.where(total > 0, total, 1)
    p = np.ones(differences.shape[1])
    # One column with ties would put scipy's choice of the null distribution off for all.
    tied = (ordered[0] == 0) | (np.diff(ordered, axis=0) == 0).any(axis=0)
    if (~tied).any():
        p[~tied] = stats.wilcoxon(differences[:, ~tied], zero_method="pratt", axis=0).pvalue
    for column in np.flatnonzero(tied & (total > 0)):
        p[column] = stats.wilcoxon(differences[:, column], zero_method="pratt").pvalue
    return p, balance


def smallest_p(n: int) -> float:
    """The smallest p-value that the two-sided signed-rank test of n differences can reach, 2^(1−n)."""
    return 2.0 ** (1 - n)


def holm(p: Floats) -> Floats:
    """Return p-values adjusted by Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979).

    With m hypotheses in order of p, p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j)). Rejecting p̃ ≤ α holds the
    probability of any false rejection under α, whatever the dependence between the tests.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.minimum(1, p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def win_rates(gains: Floats) -> Floats:
    """Return the share (k,) of positive entries in each column (n, k); zeros count half."""
    shares: Floats = (gains > 0).mean(axis=0) + (gains == 0).mean(axis=0) / 2
    return shares
