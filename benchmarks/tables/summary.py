"""From records to a table: means with intervals, and comparisons with the best.

Everything here is a pure function of the records and the facts of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.folder.facts import Facts
from benchmarks.folder.pictures import CLEAN
from benchmarks.scores.measure import Measure
from benchmarks.scores.metric import SetMetric
from benchmarks.tables import notes
from benchmarks.tables.escape import plain
from benchmarks.tables.exact import nearly_exact
from benchmarks.tables.pairs import both_ways, compare, undecided
from benchmarks.tables.published import Figures, published_for
from benchmarks.tables.statistics import LEVEL, bootstrap_interval
from datasets.errors import SuiteError

BEST, TIED = "best", "tied"

Features = Callable[[str, str], Mapping[str, np.ndarray]]
"""Row, image → the description of the restoration by each metric of sets; the row `CLEAN` is the reference."""


@dataclass(frozen=True)
class Summary:
    """A table and what must be said beside it.

    Attributes:
        table: one line per row, sorted by `first`; per metric NAME the columns NAME (mean), NAME_low and NAME_high
            (95% interval), NAME_median, NAME_all (mean without leaving any image out) and NAME_images (how many are in
            the mean); against the best row NAME_delta (mean difference), NAME_delta_low and NAME_delta_high (its
            paired 95% interval), NAME_wins (share of images on which the row is better) and NAME_p (see `pairs`); and
            NAME_mark ("best", "tied" = not significantly worse, or "", also where the images are too few to tell).
            A metric of sets has its value alone.
        pairs: every two rows that finished all images, for every metric (see `benchmarks.tables.pairs.compare`).
        metrics: the metrics of images.
        set_metrics: the metrics of sets.
        notes: sentences for the foot of the table, each on one line.
        warnings: those of the notes that say what is odd about these very results.
        published: rows of which a mean on this very set is published.
    """

    title: str
    table: pd.DataFrame
    pairs: pd.DataFrame
    metrics: tuple[Measure, ...]
    set_metrics: tuple[Measure, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    published: Figures

    @property
    def first(self) -> Measure:
        """The metric that the table is sorted by: the first of images, or of sets where there is none."""
        return (*self.metrics, *self.set_metrics)[0]


def summarise(records: pd.DataFrame, facts: Facts, features: Features | None = None) -> Summary:
    """Build the summary of a run.

    Means are over the images that the row finished, and the count of asked and finished stands beside them. Nearly
    exact images (by the first metric that says what that is, for some row) are left out of the means of every row
    alike, counted and named; medians are over all images. If every image is nearly exact none is left out, and an
    infinite value makes the mean infinite, better than any finite one; elsewhere infinite values are in no mean, and
    are counted in a note. A row that misses images is not compared with the best.

    Args:
        records: table of records (see `records.frame`).
        facts: how they came about.
        features: what the metrics of sets need; without it they have no value.

    Raises:
        SuiteError: there are no records or no metrics.
    """
    measures, of_sets = facts.image_measures, tuple(m for m in facts.measures if m.of_set)
    if records.empty or not facts.measures:
        raise SuiteError(f"there is nothing to tabulate: no {'records' if len(facts.measures) else 'metric'}.")
    records = records.reindex(columns=[*records.columns, *(m.name for m in measures if m.name not in records)])
    asked = facts.counts.images
    done = records[records.error == ""]
    exact = nearly_exact(done, measures)
    counted = done[~done.image.isin(exact.images)] if exact.left_out else done
    labels = list(dict.fromkeys(records.method))
    table = pd.DataFrame([_row(label, done, counted, records, facts, exact.everywhere) for label in labels])
    problems: list[str] = []
    for measure in of_sets:
        table[measure.name] = _set_values(measure, done, labels, features, problems)
    complete = set(table.method[table.images == asked])
    published = {row: figure for row, figure in published_for(facts).items() if row in complete}
    table["published_psnr"] = [published.get(method, (float("nan"), ""))[0] for method in table.method]
    if records.phi_implied.notna().any():
        table["phi_implied"] = [done.phi_implied[done.method == method].mean() for method in table.method]
    first = (*measures, *of_sets)[0]
    table = _in_order(table, first, counted)
    pairs = []
    wanted = asked - len(exact.images) * exact.left_out
    for measure in measures:
        wide = counted.pivot_table(index="image", columns="method", values=measure.name, aggfunc="last", dropna=False)
        there = [method for method in table.method if method in wide]
        whole = [method for method in there if np.isfinite(wide[method]).sum() == wanted]
        honest = set(table.method[~table.oracle])
        pairs.append(compare(wide[whole], measure, honest & set(whole)))
        ranked = list(_in_order(table[table.method.isin(honest)], measure, counted).method)
        finished = [m for m in there if wide[m].notna().sum() == wanted] if exact.everywhere else whole
        ranked = [method for method in ranked if method in finished]
        leaders = [method for method in ranked if wide[method].equals(wide[ranked[0]])]
        table = table.join(_against_best(table, pairs[-1], measure, honest & set(whole), leaders), on="method")
    every = pd.concat([part for part in pairs if len(part)] or [compare(pd.DataFrame(), first, ())], ignore_index=True)
    said, odd = notes.of(table, every, facts, records, exact, published, problems)
    return Summary(plain(facts.title), table, every, measures, of_sets, said, odd, published)


def _row(
    label: str, done: pd.DataFrame, counted: pd.DataFrame, records: pd.DataFrame, facts: Facts, infinite: bool
) -> dict[str, Any]:
    """One line of the table; `infinite`: infinite values count in the means."""
    mine, all_mine = counted[counted.method == label], done[done.method == label]
    row: dict[str, Any] = {
        "method": label,
        "oracle": facts.is_oracle(label),
        "images": len(all_mine),
        "asked": facts.counts.images,
        "errors": int(((records.method == label) & (records.error != "")).sum()),
    }
    for measure in facts.image_measures:
        name = measure.name
        values = mine[name].dropna().to_numpy()
        finite = values[np.isfinite(values)]
        used = values if infinite else finite
        low, high = bootstrap_interval(finite) if len(used) == len(finite) else (float("nan"), float("nan"))
        row |= {
            name: used.mean() if len(used) else float("nan"),
            f"{name}_low": low,
            f"{name}_high": high,
            f"{name}_median": all_mine[name].median(),
            f"{name}_all": all_mine[name].mean(),
            f"{name}_images": len(used),
        }
    phi = all_mine["phi_mean"].dropna()
    return row | {
        "phi_mean": phi.mean() if len(phi) else float("nan"),
        "seconds": all_mine["seconds"].mean(),
        "peak_mb": all_mine["peak_mb"].max(),
    }


def _in_order(table: pd.DataFrame, measure: Measure, counted: pd.DataFrame) -> pd.DataFrame:
    """The table, best first; rows of infinite means by how many of their values are infinite, then by the others."""
    keys, ascending = [measure.name], [not measure.higher_is_better]
    if np.isinf(table[measure.name]).any():
        infinite = np.isinf(counted[measure.name])
        sums = infinite.groupby(counted.method).sum(), counted[~infinite].groupby("method")[measure.name].mean()
        table = table.assign(**{f"_{place}": table.method.map(values) for place, values in enumerate(sums)})
        keys, ascending = [*keys, "_0", "_1"], [*ascending, False, *ascending]
    ordered = table.sort_values(keys, ascending=ascending, na_position="last", kind="stable")
    return ordered.drop(columns=keys[1:]).reset_index(drop=True)


def _set_values(
    measure: Measure, done: pd.DataFrame, labels: Sequence[str], features: Features | None, problems: list[str]
) -> list[float]:
    """The value of each row; NaN where images were not described, or where the metric fails, which is a problem."""
    values = []
    for label in labels:
        images = list(done.image[done.method == label])
        sides = [_described(measure.name, side, images, features) for side in (label, CLEAN)]
        value = float("nan")
        if sides[0] is not None and sides[1] is not None:
            assert isinstance(measure.metric, SetMetric)
            try:
                value = float(measure.metric.score_set(sides[0], sides[1]))
            except Exception as error:  # a metric may be anybody's
                problems.append(f"{measure.name} of {label} has no value: {type(error).__name__}: {error}")
        values.append(value)
    return values


def _described(name: str, row: str, images: Sequence[str], features: Features | None) -> torch.Tensor | None:
    """The descriptions (M,D) of the images of a row, or None unless all of them have one."""
    found = [features(row, image).get(name) for image in images] if features is not None else []
    there = [torch.from_numpy(np.asarray(one, dtype=np.float64)) for one in found if one is not None]
    same = len({one.shape for one in there}) == 1
    return torch.stack(there) if same and len(there) == len(images) else None


def _against_best(
    table: pd.DataFrame, pairs: pd.DataFrame, measure: Measure, honest: Collection[str], leaders: Sequence[str]
) -> pd.DataFrame:
    """Per row what tells it from the best, and the mark.

    Args:
        honest: rows that compete and have a finite value for every image.
        leaders: the best honest row that finished every image, and those of the very same values.
    """
    name = measure.name
    best = leaders[0] if leaders else None
    sides = both_ways(pairs)
    places = {(row, other): place for place, (_, row, other) in enumerate(sides.index)}
    too_few = undecided(pairs, name)

    def line(method: str) -> dict[str, Any]:
        if (method, best) not in places:
            return {f"{name}_mark": BEST if method in leaders else ""}
        pair = sides.iloc[places[method, best]]
        # The test may favour a row whose mean is lower (an outlier): that row is not worse.
        worse = pair.p_holm <= 1 - LEVEL and pair.rank_biserial < 0
        return {
            f"{name}_delta": pair.difference,
            f"{name}_delta_low": pair.low,
            f"{name}_delta_high": pair.high,
            f"{name}_wins": pair.wins,
            f"{name}_p": pair.p_holm,
            f"{name}_mark": "" if worse or too_few or method not in honest else TIED,
        }

    columns = [f"{name}_{part}" for part in ("delta", "delta_low", "delta_high", "wins", "p", "mark")]
    return pd.DataFrame([line(method) for method in table.method], index=table.method, columns=columns)
