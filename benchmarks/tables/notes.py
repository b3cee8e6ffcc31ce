"""What must be said beside a table, in sentences of one line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from benchmarks.folder.facts import Facts
from benchmarks.scores.measure import Measure
from benchmarks.tables.escape import plain
from benchmarks.tables.exact import Exact
from benchmarks.tables.pairs import undecided
from benchmarks.tables.published import Figures
from benchmarks.tables.statistics import COVERAGE, RESAMPLES, SEED


def of(
    table: pd.DataFrame,
    pairs: pd.DataFrame,
    facts: Facts,
    records: pd.DataFrame,
    exact: Exact,
    published: Figures,
    problems: Sequence[str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the notes of a table, and those of them that nobody may miss: what is odd about these very results.

    Args:
        table, pairs: as in `Summary`.
        records: errors included.
        exact: the images that were restored nearly exactly.
        published: row → published mean and its source.
        problems: what could not be computed.
    """
    asked = facts.counts.images
    said = ["Metrics: " + ", ".join(measure.signature for measure in facts.measures) + "."]
    said.append(
        "Mean over images [95% bootstrap interval]. φ: mean reliance on the prior, empty where the method hides it. "
        "s/image: `restore` alone, one thread; on a CPU, seconds of the processor."
    )
    said += _on_few(asked - len(exact.images) * exact.left_out)
    if facts.image_measures:
        said += _on_comparisons(pairs, facts.image_measures[0])
    of_sets = [measure.title for measure in facts.measures if measure.of_set]
    if of_sets:
        said.append(f"{', '.join(of_sets)}: one value for all images of a row, with no interval and no test.")
    if table.oracle.any():
        said.append("(oracle): told what is hidden from the others; never marked best.")
    odd = remarks(facts, table.method)
    odd += _on_hosts(str(facts.hardware.get("hosts", "")))
    odd += _on_exact(exact)
    odd += _on_infinite(exact, records, facts.image_measures)
    failed = records[records.error != ""]
    if len(failed):
        one = failed.iloc[0]
        odd.append(
            f"{len(failed)} restoration(s) failed and are in no mean, for instance {one.method} on {one.image}: "
            f"{one.error}. All are in records.csv."
        )
    odd += problems
    if (table.images < table.asked).any():
        odd.append("A row that misses images is averaged over those it has and compared with none.")
    said += odd
    if published:
        sources = sorted({source for _, source in published.values()})
        said.append("Published PSNR: " + "; ".join(sources) + ".")
    return tuple(map(plain, said)), tuple(map(plain, odd))


def remarks(facts: Facts, rows: Iterable[str]) -> list[str]:
    """Return what must be said beside rows, once for all that it is said of."""
    grouped: dict[str, list[str]] = {}
    for row in rows:
        for remark in facts.rows[row].remarks if row in facts.rows else ():
            grouped.setdefault(remark, []).append(row)
    return [f"{', '.join(of)}: {remark}." for remark, of in grouped.items()]


def _on_few(images: int) -> list[str]:
    if images == 1:
        return ["One image has no interval."]
    if images not in COVERAGE:
        return []
    low, high = COVERAGE[images]
    return [
        f"With only {images} images a 95% interval holds the true mean less often than it says ({low} to {high}% of "
        "the time on normal, uniform and exponential data): read them as a hint."
    ]


def _on_hosts(hosts: str) -> list[str]:
    """What is said where a cluster of several machines measured, the one with most results first."""
    first, *others = hosts.split(", ")
    if not others:
        return []
    return [
        f"Computed on several machines, whose times do not compare: s/image and peak MiB are of {first} alone, and not "
        f"of {', '.join(others)}."
    ]


def _on_exact(exact: Exact) -> list[str]:
    if exact.measure is None or not exact.images:
        return []
    measure, unit = exact.measure, f" {exact.measure.unit}" if exact.measure.unit else ""
    of = "" if measure.name == measure.metric.name else f" of {measure.title}"
    over = f"{'over' if measure.higher_is_better else 'under'} {measure.near_exact:g}{unit}{of} for some row"
    if not exact.left_out:
        return [
            f"Every image is nearly exact, {over}, and none is left out: an exact restoration counts as infinite (∞), "
            "better than any other. A row that has one has no interval and no test."
        ]
    return [
        f"{len(exact.images)} nearly exact image(s), {over}, are left out of the means of every row; medians keep "
        f"them: {', '.join(exact.images)}."
    ]


def _on_infinite(exact: Exact, records: pd.DataFrame, measures: Sequence[Measure]) -> list[str]:
    """What is said of infinite values of images that are not left out."""
    counted = records[(records.error == "") & ~records.image.isin(exact.images)]
    found = {m.title: int(np.isinf(counted[m.name]).sum()) for m in measures}
    return [
        f"{title} is infinite for {number} restoration(s), which are in no mean of it; their rows are compared with "
        "none by it."
        for title, number in found.items()
        if number
    ]


def _on_comparisons(pairs: pd.DataFrame, measure: Measure) -> list[str]:
    if pairs.empty:
        return []
    family = int(pairs[pairs.metric == measure.name].p_holm.notna().sum())
    too_few = undecided(pairs, measure.name)
    pairs_said = f"all {family} pairs" if family > 1 else "the one pair"
    test = f"Wilcoxon's signed-rank test with Holm's correction over {pairs_said} of competitors, 5%"
    marks = (
        f"* best. Nothing is marked as not significantly worse: {too_few} by {test}."
        if too_few
        else f"* best, + not significantly worse than the best: {test}."
    )
    return [
        f"Δ: mean difference to the best row on the same images [paired 95% bootstrap interval, not corrected for the "
        f"number of rows]; wins: share of images on which the row beats it, ties half. {marks} Every pair is in "
        "pairs.csv.",
        "Assumed: the images are independent draws of what one wants to speak of; for the test, differences symmetric "
        "about zero if there is none. The best row was chosen on these same images. "
        f"Intervals: expanded percentile bootstrap, {RESAMPLES} resamples, seed {SEED}.",
    ]
