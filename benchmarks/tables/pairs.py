"""Every pair of rows compared on the same images: difference, interval, win rate, signed-rank test."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np
import pandas as pd

from benchmarks.scores.measure import Measure
from benchmarks.tables.statistics import LEVEL, bootstrap_intervals, holm, signed_rank, smallest_p, win_rates

COLUMNS = (
    "metric", "row", "other", "images", "difference", "low", "high", "wins", "rank_biserial", "p", "p_holm",
)  # fmt: skip


def compare(scores: pd.DataFrame, metric: Measure, competitors: Collection[str]) -> pd.DataFrame:
    """Compare every two columns.

    Args:
        scores: images × rows, all finite.
        competitors: the rows whose pairs form the family of Holm's correction.

    Returns:
        One line per pair: `difference` is the mean of row − other, `low` and `high` its paired bootstrap interval;
        `wins` the share of images on which `row` is better, ties half; `rank_biserial` is positive if the signed ranks
        favour `row`; `p` the signed-rank test's, `p_holm` the same after Holm's correction over all pairs of
        competitors, NaN for the other pairs.
    """
    pairs = list(combinations(scores.columns, 2))
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    first, second = map(list, zip(*pairs, strict=True))
    differences = scores[first].to_numpy() - scores[second].to_numpy()
    gains = differences if metric.higher_is_better else -differences
    low, high = bootstrap_intervals(differences)
    p, balance = signed_rank(gains)
    family = np.array([a in competitors and b in competitors for a, b in pairs])
    adjusted = np.full(len(pairs), np.nan)
    adjusted[family] = holm(p[family])
    columns = (
        metric.name, first, second, len(scores), differences.mean(axis=0), low, high, win_rates(gains), balance, p,
        adjusted,
    )  # fmt: skip
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Every pair twice, from either side, indexed by (metric, row, other)."""
    mirrored = pairs.assign(
        row=pairs.other,
        other=pairs.row,
        difference=-pairs.difference,
        low=-pairs.high,
        high=-pairs.low,
        wins=1 - pairs.wins,
        rank_biserial=-pairs.rank_biserial,
    )
    every = [part for part in (pairs, mirrored) if len(part)]
    return pd.concat(every or [pairs]).set_index(["metric", "row", "other"])


def undecided(pairs: pd.DataFrame, metric: str) -> str | None:
    """Return None, or why no pair of competitors can be told apart: too few images for so many pairs."""
    family = pairs[(pairs.metric == metric) & pairs.p_holm.notna()]
    if family.empty or smallest_p(family.images.iloc[0]) * len(family) <= 1 - LEVEL:
        return None
    images = int(family.images.iloc[0])
    few = "one image is" if images == 1 else f"{images} images are"
    return f"{few} too few to tell {'a pair' if len(family) == 1 else f'{len(family)} pairs'} apart"
