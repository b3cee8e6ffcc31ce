"""The matrix over sets and levels: methods × settings, one for every metric, as a table that sorts and as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.folder.facts import Facts
from benchmarks.scores.measure import Measure
from benchmarks.tables.column import Cell, Column, Table, head_of, kinds
from benchmarks.tables.paper_layout import PaperTable, Value, lay_out, to_csv, to_latex, to_markdown
from benchmarks.tables.summary import TIED, Summary

LARGEST = 1e300
"""What an infinite mean sorts as."""


@dataclass(frozen=True)
class Matrix:
    """The means of one metric.

    Attributes:
        caption: sentences for its foot.
        texts: ending of a file → its content, of what a reader can take away.
    """

    metric: Measure
    table: Table
    caption: tuple[str, ...]
    texts: dict[str, str]


def matrices(runs: Sequence[tuple[Facts, Summary]]) -> list[Matrix]:
    """Return a matrix for every metric that the runs have, in their order.

    Raises:
        SuiteError: two of the runs differ neither in set nor in the task's parameters.
    """
    measures = {m.name: m for _, summary in runs for m in (*summary.metrics, *summary.set_metrics)}
    there = [m for m in measures.values() if any(s.table[m.name].notna().any() for _, s in runs if m.name in s.table)]
    return [_matrix(runs, measure) for measure in there]


def _matrix(runs: Sequence[tuple[Facts, Summary]], measure: Measure) -> Matrix:
    made = lay_out(runs, metrics=[measure.name])
    kind = {row: what for _, summary in runs for row, what in kinds(summary).items()}
    texts = {"csv": to_csv(made), "md": to_markdown(made), "tex": to_latex(made)}
    return Matrix(measure, _table(made, measure, kind), made.caption, texts)


def _table(made: PaperTable, measure: Measure, kind: dict[str, str]) -> Table:
    columns = [Column("method", "method", tuple(Cell(row, value=row) for row in made.rows), numeric=False)]
    for group in made.groups:
        for head, values in zip(group.heads, group.columns, strict=True):
            measured = head == head_of(measure)
            name = group.name if measured else f"{group.name} {head}"
            cells = tuple(_cell(values.get(row, Value())) for row in made.rows)
            key = f"column-{len(columns)}"
            columns.append(Column(key, name, cells, descending=measure.higher_is_better, marked=measured))
    return Table(tuple(columns), made.rows, tuple(kind[row] for row in made.rows))


def _cell(value: Value) -> Cell:
    number = float(value.text.replace("∞", "inf")) if value.text else None
    sorts = None if number is None else max(-LARGEST, min(LARGEST, number))
    return Cell(value.text, value=sorts, mark=value.rank if value.rank != "" else TIED if value.tied else "")
