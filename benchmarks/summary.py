"""From records to tables: means with intervals, comparisons with the best, CSV, Markdown, LaTeX and the terminal.

Everything here is a pure function of records and run facts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.metrics.base import Metric
from benchmarks.pairs import both_ways, compare, undecided
from benchmarks.protocol import get_protocol
from benchmarks.published import published_psnr
from benchmarks.rows import Row
from benchmarks.statistics import LEVEL, RESAMPLES, SEED, bootstrap_interval
from methods.registry import methods

NEAR_EXACT = 60.0
"""dB. A restoration this close says that the image has nothing to restore (a gray photograph in colorization)."""

FEW = 10
"""Images. Bootstrap intervals of fewer are too narrow, whatever their kind."""

BEST, TIED = "best", "tied"


@dataclass(frozen=True)
class Summary:
    """A table and what must be said beside it.

    Attributes:
        table: one line per row, sorted by the first metric; per metric NAME the columns NAME (mean), NAME_low and
            NAME_high (95% interval), NAME_median, NAME_all (mean without leaving any image out); against the best
            row NAME_delta (mean difference), NAME_delta_low and NAME_delta_high (its paired 95% interval), NAME_wins
            (share of images on which the row is better) and NAME_p (see `pairs`); and NAME_mark ("best", "tied" = not
            significantly worse, or "", also where the images are too few to tell).
        pairs: every two rows that finished all images, for every metric (see `benchmarks.pairs.compare`).
        metrics: the metrics, first the one the table is sorted by.
        notes: sentences for the foot of the table.
    """

    title: str
    table: pd.DataFrame
    pairs: pd.DataFrame
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...]


def summarise(records: pd.DataFrame, run: dict[str, Any]) -> Summary:
    """Build the summary of a run.

    Means are over the images that the row finished, and the count of asked and finished stands beside them. Nearly
    exact images (over 60 dB for some row) are left out of the means of every row alike, counted and named; medians
    are over all images. A row that misses images is not compared with the best.

    Args:
        records: table of records (see `records.frame`).
        run: the facts of run.json.
    """
    metrics = tuple(get_protocol(run["protocol"]).metric(name) for name in run["metrics"])
    asked = int(run["counts"]["images"])
    done = records[records.error == ""]
    exact = sorted(set(done.image[done.psnr >= NEAR_EXACT])) if "psnr" in run["metrics"] else []
    if len(exact) == done.image.nunique():
        exact = []  # nothing would be left
    counted = done[~done.image.isin(exact)]
    rows = [_row(label, done, counted, records, metrics, asked) for label in dict.fromkeys(records.method)]
    table = pd.DataFrame(rows)
    published = published_psnr(run["task"], run["dataset"], str(run["parameters"].get("sigma", "")))
    table["published_psnr"] = [published.get(method, (float("nan"), ""))[0] for method in table.method]
    first = metrics[0]
    table = table.sort_values(first.name, ascending=not first.higher_is_better, na_position="last", kind="stable")
    table = table.reset_index(drop=True)
    pairs = []
    for metric in metrics:
        wide = counted.pivot_table(index="image", columns="method", values=metric.name, aggfunc="last", dropna=False)
        whole = [m for m in table.method if m in wide and np.isfinite(wide[m]).sum() == asked - len(exact)]
        honest = set(table.method[~table.oracle]) & set(whole)
        pairs.append(compare(wide[whole], metric, honest))
        table = table.join(_against_best(table, pairs[-1], metric, honest), on="method")
    every = pd.concat([part for part in pairs if len(part)] or pairs[:1], ignore_index=True)
    title = f"{run['label']} on {run['dataset']} ({run['split']}), {asked} images, seed {run['seed']}"
    notes = _notes(table, every, metrics, records, exact, published, asked)
    return Summary(title, table, every, metrics, notes)


def _row(
    label: str,
    done: pd.DataFrame,
    counted: pd.DataFrame,
    records: pd.DataFrame,
    metrics: Sequence[Metric],
    asked: int,
) -> dict[str, Any]:
    mine, all_mine = counted[counted.method == label], done[done.method == label]
    row: dict[str, Any] = {
        "method": label,
        "oracle": Row.parse(label).oracle if _known(label) else False,
        "images": len(all_mine),
        "asked": asked,
        "errors": int(((records.method == label) & (records.error != "")).sum()),
    }
    for metric in metrics:
        name = metric.name
        values = mine[name].dropna().to_numpy()
        finite = values[np.isfinite(values)]
        low, high = bootstrap_interval(finite)
        row |= {
            name: finite.mean() if len(finite) else float("nan"),
            f"{name}_low": low,
            f"{name}_high": high,
            f"{name}_median": all_mine[name].median(),
            f"{name}_all": all_mine[name].mean(),
            f"{name}_images": len(finite),
        }
    phi = all_mine["phi_mean"].dropna()
    return row | {
        "phi_mean": phi.mean() if len(phi) else float("nan"),
        "seconds": all_mine["seconds"].mean(),
        "peak_mb": all_mine["peak_mb"].max(),
    }


def _known(label: str) -> bool:
    return Row.parse(label).method in methods()


def _against_best(table: pd.DataFrame, pairs: pd.DataFrame, metric: Metric, honest: Collection[str]) -> pd.DataFrame:
    """Per row what tells it from the best honest row that finished every image, and the mark."""
    name = metric.name
    means = table.set_index("method")[name]
    ranked = means[means.index.isin(honest)].sort_values(ascending=not metric.higher_is_better, kind="stable")
    best = ranked.index[0] if len(ranked) else None
    sides = both_ways(pairs)
    places = {(row, other): place for place, (_, row, other) in enumerate(sides.index)}
    too_few = undecided(pairs, name)

    def line(method: str) -> dict[str, Any]:
        if (method, best) not in places:
            return {f"{name}_mark": BEST if method == best else ""}
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


def _notes(
    table: pd.DataFrame,
    pairs: pd.DataFrame,
    metrics: Sequence[Metric],
    records: pd.DataFrame,
    exact: Sequence[str],
    published: dict[str, tuple[float, str]],
    asked: int,
) -> tuple[str, ...]:
    notes = ["Metrics: " + ", ".join(metric.signature for metric in metrics) + "."]
    notes.append(
        "Mean over images [95% bootstrap interval]. φ: mean reliance on the prior, empty where the method hides it. "
        "s/image: one thread, `restore` alone."
    )
    if 1 < asked < FEW:
        notes.append(
            f"With only {asked} images a 95% interval holds the true mean less often than it says (with five, 88 to "
            "93% of the time on synthetic data): read them as a hint."
        )
    notes += _notes_on_comparisons(pairs, metrics[0])
    if table.oracle.any():
        notes.append("(oracle): told what is hidden from the others; never marked best.")
    if exact:
        notes.append(
            f"{len(exact)} nearly exact image(s), over {NEAR_EXACT:.0f} dB for some row, are left out of the means "
            f"of every row; medians keep them: {', '.join(exact)}."
        )
    failed = records[records.error != ""]
    if len(failed):
        first = failed.iloc[0]
        notes.append(
            f"{len(failed)} restoration(s) failed and are in no mean, for instance {first.method} on {first.image}: "
            f"{first.error}. All are in records.csv."
        )
    if (table.images < asked).any():
        notes.append("A row that misses images is averaged over those it has and compared with none.")
    if table.published_psnr.notna().any():
        sources = sorted({source for method, (_, source) in published.items() if method in set(table.method)})
        notes.append("Published PSNR: " + "; ".join(sources) + ".")
    return tuple(notes)


def _notes_on_comparisons(pairs: pd.DataFrame, metric: Metric) -> list[str]:
    if pairs.empty:
        return []
    family = int(pairs[pairs.metric == metric.name].p_holm.notna().sum())
    too_few = undecided(pairs, metric.name)
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


@dataclass(frozen=True)
class _Column:
    head: str
    cell: Callable[[Any], str]
    marked: str = ""


def _number(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:.{decimals}f}"


def _significant(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _metric_cell(metric: Metric, interval: bool) -> Callable[[Any], str]:
    def cell(row: Any) -> str:
        mean = _number(row[metric.name], metric.decimals)
        low, high = row[f"{metric.name}_low"], row[f"{metric.name}_high"]
        if not mean or not interval or math.isnan(low):
            return mean
        return f"{mean} [{low:.{metric.decimals}f}, {high:.{metric.decimals}f}]"

    return cell


def _delta_cell(metric: Metric, interval: bool) -> Callable[[Any], str]:
    def cell(row: Any) -> str:
        mean, low, high = (row[f"{metric.name}_delta{end}"] for end in ("", "_low", "_high"))
        if math.isnan(mean):
            return ""
        text = f"{mean:+.{metric.decimals}f}"
        return f"{text} [{low:+.{metric.decimals}f}, {high:+.{metric.decimals}f}]" if interval else text

    return cell


def _columns(summary: Summary, intervals: int) -> list[_Column]:
    """The printed columns: those with something in them, the first `intervals` metrics with their interval.

    The difference to the best has its interval if those of several metrics are asked for: it widens the table most.
    """
    table = summary.table
    columns = [_Column("method", lambda row: row["method"] + (" (oracle)" if row["oracle"] else ""))]
    if (table.images < table.asked).any():
        columns.append(_Column("images", lambda row: f"{row['images']}/{row['asked']}"))
    for place, metric in enumerate(summary.metrics):
        if table[metric.name].notna().any():
            unit = f" {metric.unit}" if metric.unit else ""
            arrow = "↑" if metric.higher_is_better else "↓"
            columns.append(
                _Column(f"{metric.title}{unit} {arrow}", _metric_cell(metric, place < intervals), metric.name)
            )
    first = summary.metrics[0]
    if table[f"{first.name}_delta"].notna().any():
        columns.append(_Column(f"Δ {first.title}", _delta_cell(first, intervals > 1)))
        columns.append(_Column("wins %", lambda row: _number(100 * row[f"{first.name}_wins"], 0)))
    if table[first.name].notna().any():
        columns.append(_Column("median", lambda row: _number(row[f"{first.name}_median"], first.decimals)))
    if table.published_psnr.notna().any():
        columns.append(_Column("published PSNR", lambda row: _number(row["published_psnr"], 2)))
    columns += [
        _Column("φ mean", lambda row: _number(row["phi_mean"], 3)),
        _Column("s/image", lambda row: _significant(row["seconds"])),
        _Column("peak MiB", lambda row: _number(row["peak_mb"], 0)),
    ]
    return columns


SIGNS = {BEST: "*", TIED: "+", "": ""}


def to_markdown(summary: Summary) -> str:
    """The table in Markdown: best in bold, signs as in the notes."""
    columns = _columns(summary, intervals=max(2, len(summary.metrics)))
    lines = [f"# {summary.title}", "", "| " + " | ".join(c.head for c in columns) + " |"]
    lines.append("| --- |" + " ---: |" * (len(columns) - 1))
    for row in summary.table.to_dict("records"):
        cells = []
        for column in columns:
            text = column.cell(row)
            mark = row[f"{column.marked}_mark"] if column.marked else ""
            sign = SIGNS[mark].replace("*", "\\*")
            cells.append(f"**{text}**{sign}" if mark == BEST else f"{text}{sign}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"{note}  " for note in summary.notes)]) + "\n"


TEX = str.maketrans({"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "↑": r"$\uparrow$", "↓": r"$\downarrow$"})
TEX |= str.maketrans(
    {"Δ": r"$\Delta$", "φ": r"$\varphi$", "σ": r"$\sigma$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
TEX |= str.maketrans({"–": "--", "×": r"$\times$"})


def to_latex(summary: Summary) -> str:
    """The table in LaTeX (booktabs): best in bold, not significantly worse underlined; intervals are in the CSV."""
    columns = _columns(summary, intervals=0)
    lines = [r"% requires \usepackage{booktabs}", r"\begin{table}", r"\centering"]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}", r"\toprule"]
    lines += [" & ".join(c.head.translate(TEX) for c in columns) + r" \\", r"\midrule"]
    for row in summary.table.to_dict("records"):
        cells = []
        for column in columns:
            text = column.cell(row).translate(TEX)
            mark = row[f"{column.marked}_mark"] if column.marked else ""
            wrap = {BEST: r"\textbf{%s}", TIED: r"\underline{%s}", "": "%s"}[mark]
            cells.append(wrap % text)
        lines.append(" & ".join(cells) + r" \\")
    signatures = ", ".join(metric.signature for metric in summary.metrics).replace("|", r"\textbar{}").translate(TEX)
    caption = (
        f"{summary.title.translate(TEX)}. Bold: best; underlined: not significantly worse (Wilcoxon, Holm over all "
        rf"pairs, 5\%). $\Delta$: mean difference to the best; wins: images on which a row beats it. {signatures}."
    )
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def to_terminal(summary: Summary) -> Table:
    """The table for the terminal: the interval of the first metric only, so that it fits."""
    table = Table(title=summary.title, title_justify="left", header_style="bold", pad_edge=False)
    columns = _columns(summary, intervals=1)
    for number, column in enumerate(columns):
        table.add_column(column.head, justify="right" if number else "left", no_wrap=True)
    for row in summary.table.to_dict("records"):
        cells = []
        for column in columns:
            text = column.cell(row).replace("[", r"\[")
            mark = row[f"{column.marked}_mark"] if column.marked else ""
            body = f"{text} {SIGNS[mark]}" if mark else f"{text}  " if column.marked else text
            cells.append(f"[bold]{body}[/bold]" if mark == BEST else body)
        table.add_row(*cells)
    return table
