"""The table of a paper: methods × (set, level), from several runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rich.table import Table as Rich
from rich.text import Text

from benchmarks.folder.facts import Facts
from benchmarks.scores.measure import Measure
from benchmarks.tables import escape
from benchmarks.tables.column import fixed, head_of
from benchmarks.tables.notes import remarks
from benchmarks.tables.published import METRIC
from benchmarks.tables.render import latex_table, markdown_table
from benchmarks.tables.summary import BEST, TIED, Summary
from benchmarks.tables.terminal import too_wide
from datasets.cli import console
from datasets.errors import SuiteError, unknown

SECOND = "second"
DAGGER = "†"
"""Sign of a value that is not significantly worse than the best."""


@dataclass(frozen=True)
class Value:
    """One cell: text, its rank among the rows of its column ("best", "second" or ""), and whether it ties the best."""

    text: str = ""
    rank: str = ""
    tied: bool = False


@dataclass(frozen=True)
class Group:
    """The columns of one run: a set at a level."""

    name: str
    heads: tuple[str, ...]
    columns: tuple[Mapping[str, Value], ...]


@dataclass(frozen=True)
class PaperTable:
    """A table of methods × groups.

    Attributes:
        caption: sentences with what was measured and how, for the foot of the table.
    """

    rows: tuple[str, ...]
    groups: tuple[Group, ...]
    caption: tuple[str, ...]

    @property
    def heads(self) -> list[str]:
        """One head for every column of values."""
        return [f"{group.name} {head}" for group in self.groups for head in group.heads]

    def line(self, row: str) -> list[Value]:
        """The values of a row."""
        return [column.get(row, Value()) for group in self.groups for column in group.columns]


def lay_out(runs: Sequence[tuple[Facts, Summary]], rows: Sequence[str] = (), metrics: Sequence[str] = ()) -> PaperTable:
    """Put runs side by side.

    The best and the second best are those among the rows that are shown; a row that was told more than the others
    (oracle), or that misses images, is neither. Not significantly worse than the best is what the run's own table marks
    so, by the test over all its rows. Rows are in the order asked for, else by their mean over the groups that all of
    them have, best first.

    Args:
        runs: facts and summary of each; one (set, level) each.
        rows: labels; all if empty.
        metrics: names of columns; the first metric if empty.

    Raises:
        SuiteError: an unknown row or metric, or two runs of one name.
    """
    known = list(dict.fromkeys(row for _, summary in runs for row in summary.table.method))
    measures = {m.name: m for _, summary in runs for m in (*summary.metrics, *summary.set_metrics)}
    for name in rows:
        if name not in known:
            raise unknown("row", name, known)
    for name in metrics:
        if name not in measures:
            raise unknown("metric", name, list(measures))
    chosen = [measures[name] for name in metrics] or [runs[0][1].first]
    names = _names([facts for facts, _ in runs])
    tables = [summary.table.set_index("method") for _, summary in runs]
    order = list(rows) or _by_mean(known, tables, chosen[0])
    groups = []
    for name, table, (_, summary) in zip(names, tables, runs, strict=True):
        there = [measure for measure in chosen if measure.name in table]
        heads, columns = [], []
        for measure in there:
            heads.append(head_of(measure))
            columns.append(_column(table, measure, order))
            published = {row: value for row, (value, _) in summary.published.items() if row in order}
            if measure.name == METRIC and published:
                heads.append("published")
                columns.append({row: Value(fixed(value, measure.decimals)) for row, value in published.items()})
        groups.append(Group(name, tuple(heads), tuple(columns)))
    return PaperTable(tuple(order), tuple(groups), _caption(runs, chosen, order, groups))


def _names(facts: Sequence[Facts]) -> list[str]:
    """What tells the runs apart: set and parameters of the task, and the task if there are several."""
    several = len({one.setting.task.name for one in facts}) > 1
    names = []
    for one in facts:
        setting = one.setting
        parameters = [f"{name}={value}" for name, value in setting.task.parameters.items()]
        name = " ".join([*([setting.task.name] if several else []), setting.dataset, *parameters])
        names.append(name if setting.split == "test" else f"{name} ({setting.split})")
    for name in names:
        if names.count(name) > 1:
            raise SuiteError(f"two of the runs are of {name}: give one of them, or build a report of both.")
    return names


def _by_mean(known: Sequence[str], tables: Sequence[pd.DataFrame], measure: Measure) -> list[str]:
    """Rows by their mean over the groups; what is in more groups comes first."""

    def place(row: str) -> tuple[int, float]:
        there = [float(t[measure.name][row]) for t in tables if measure.name in t and row in t.index]
        values = [value for value in there if not math.isnan(value)]
        mean = sum(values) / len(values) if values else 0.0
        return -len(values), -mean if measure.higher_is_better else mean

    return sorted(known, key=place)


def _column(table: pd.DataFrame, measure: Measure, order: Sequence[str]) -> dict[str, Value]:
    there = [row for row in order if row in table.index and not math.isnan(table[measure.name][row])]
    honest = [row for row in there if not table.oracle[row] and table.images[row] == table.asked[row]]
    texts = {row: fixed(float(table[measure.name][row]), measure.decimals) for row in there}
    values = sorted({float(table[measure.name][row]) for row in honest}, reverse=measure.higher_is_better)
    ranks = dict(zip(values, (BEST, SECOND), strict=False))
    mark = table.get(f"{measure.name}_mark")
    cells = {}
    for row in there:
        rank = ranks.get(float(table[measure.name][row]), "") if row in honest else ""
        cells[row] = Value(texts[row], rank, mark is not None and mark[row] == TIED and rank != BEST)
    return cells


def _caption(
    runs: Sequence[tuple[Facts, Summary]], measures: Sequence[Measure], rows: Sequence[str], groups: Sequence[Group]
) -> tuple[str, ...]:
    settings = [facts.setting for facts, _ in runs]
    one = settings[0]
    tasks, seeds, commits = (
        list(dict.fromkeys(values))
        for values in (
            (setting.task.name for setting in settings),
            (str(setting.seed) for setting in settings),
            (facts.commit[:7] for facts, _ in runs),
        )
    )
    images = ", ".join(f"{group.name}: {facts.counts.images}" for group, (facts, _) in zip(groups, runs, strict=True))
    ties = any(value.tied for group in groups for column in group.columns for value in column.values())
    tied = (
        f"{DAGGER} not significantly worse than the best (Wilcoxon's signed-rank test, Holm over all pairs of the "
        "run's rows, 5%)."
    )
    said = [
        f"{', '.join(tasks)}; {', '.join(measure.signature for measure in measures)}; means over images ({images}).",
        "Bold: best of the rows shown, underlined: second best." + (f" {tied}" if ties else ""),
        f"Seed {', '.join(seeds)}; protocol {one.protocol.name}; commit {', '.join(commits)}.",
    ]
    sources = sorted({s for _, summary in runs for row, (_, s) in summary.published.items() if row in rows})
    if sources and any("published" in group.heads for group in groups):
        said.append("Published: " + "; ".join(sources) + ".")
    odd = dict.fromkeys(sentence for facts, _ in runs for sentence in remarks(facts, rows))
    return tuple(map(escape.plain, [*said, *odd]))


def to_csv(table: PaperTable) -> str:
    """The table as CSV: a head for every column, no marks."""
    lines = {"method": list(table.rows)}
    for place, head in enumerate(table.heads):
        lines[head] = [table.line(row)[place].text for row in table.rows]
    return escape.comma_separated(pd.DataFrame(lines))


def to_markdown(table: PaperTable) -> str:
    """The table in Markdown: best in bold, second best underlined."""

    def cell(value: Value) -> str:
        text = {BEST: "**{}**", SECOND: "<u>{}</u>"}.get(value.rank, "{}").format(escape.markdown(value.text))
        return f"{text}{DAGGER}" if value.tied else text

    heads = [escape.markdown(head) for head in ["method", *table.heads]]
    lines = [[escape.markdown(row), *(cell(value) for value in table.line(row))] for row in table.rows]
    foot = [f"{escape.markdown_note(sentence)}  " for sentence in table.caption]
    return "\n".join([markdown_table(heads, lines, [True] + [False] * len(table.heads)), "", *foot]) + "\n"


def to_latex(table: PaperTable) -> str:
    """The table in LaTeX (booktabs), the groups over their columns."""

    def cell(value: Value) -> str:
        text = {BEST: r"\textbf{%s}", SECOND: r"\underline{%s}"}.get(value.rank, "%s") % escape.latex(value.text)
        return rf"{text}$^\dagger$" if value.tied else text

    spans, rules, first = [], [], 2
    for group in table.groups:
        last = first + len(group.heads) - 1
        spans.append(rf"\multicolumn{{{len(group.heads)}}}{{c}}{{{escape.latex(group.name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{last}}}")
        first = last + 1
    heads = [escape.latex(head) for group in table.groups for head in group.heads]
    caption = " ".join(escape.latex(sentence).replace(DAGGER, r"$^\dagger$") for sentence in table.caption)
    tops = [" & ".join(["", *spans]) + r" \\", " ".join(rules), " & ".join(["method", *heads]) + r" \\"]
    lines = [" & ".join([escape.latex(row), *map(cell, table.line(row))]) + r" \\" for row in table.rows]
    return latex_table("l" + "r" * len(heads), tops, lines, caption)


def show(table: PaperTable) -> None:
    """Print the table, the groups that fit a line of the terminal beside each other, the others below."""
    screen = console()
    left = list(table.groups)
    while left:
        count = len(left)
        while count > 1 and too_wide(_rich(table, left[:count]), screen):
            count -= 1
        screen.print(_rich(table, left[:count]))
        left = left[count:]
    for sentence in table.caption:
        screen.print(Text(sentence))


def _rich(table: PaperTable, groups: Sequence[Group]) -> Rich:
    made = Rich(header_style="bold", pad_edge=False)
    made.add_column("method", no_wrap=True)
    for group in groups:
        for place, head in enumerate(group.heads):
            top = group.name if place == 0 else ""
            made.add_column(Text(escape.plain(f"{top}\n{head}")), justify="right", no_wrap=True)
    styles = {BEST: "bold", SECOND: "underline"}
    for row in table.rows:
        values = [column.get(row, Value()) for group in groups for column in group.columns]
        cells = [Text(v.text, style=styles.get(v.rank, "")) + Text(DAGGER if v.tied else " ") for v in values]
        made.add_row(Text(escape.plain(row)), *cells)
    return made
