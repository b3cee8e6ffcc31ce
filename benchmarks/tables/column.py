"""The columns of a table, made once from a summary; `render` and the report only write them down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from benchmarks.scores.measure import Measure
from benchmarks.tables.published import METRIC
from benchmarks.tables.summary import Summary

Line = dict[str, Any]
"""A line of `Summary.table`."""


@dataclass(frozen=True)
class Cell:
    """One cell, as plain text that is still to be escaped.

    Attributes:
        text: what it says; "" where there is nothing.
        small: what is said beside it, such as an interval.
        value: what it sorts by; None sorts last.
        mark: "best", "tied" or "".
        absent: what a page says where there is nothing.
    """

    text: str = ""
    small: str = ""
    value: float | str | None = None
    mark: str = ""
    absent: str = "–"

    @property
    def whole(self) -> str:
        """The text and what is said beside it."""
        return f"{self.text} {self.small}" if self.small else self.text


@dataclass(frozen=True)
class Column:
    """One column: a cell per line.

    Attributes:
        key: name of the column in the data.
        signature: how its numbers were computed, or what they are.
        numeric: numbers, to be set flush right.
        descending: which way a first click sorts.
        marked: its cells may have a mark.
    """

    key: str
    head: str
    cells: tuple[Cell, ...]
    signature: str = ""
    numeric: bool = True
    descending: bool = False
    marked: bool = False


@dataclass(frozen=True)
class TableLine:
    """One line of a table: its row, of which kind that is (see `kinds`), and its cells."""

    method: str
    kind: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        methods, kinds: of each line.
        sorted_by: key of the column that the lines are in order of.
    """

    columns: tuple[Column, ...]
    methods: tuple[str, ...]
    kinds: tuple[str, ...]
    sorted_by: str = ""

    @property
    def lines(self) -> Iterator[TableLine]:
        """The table line by line."""
        for place, (method, kind) in enumerate(zip(self.methods, self.kinds, strict=True)):
            yield TableLine(method, kind, tuple(column.cells[place] for column in self.columns))


def fixed(value: float, decimals: int, signed: bool = False) -> str:
    """Write a number with its decimals: "" for NaN, ∞ for infinity."""
    if math.isnan(value):
        return ""
    text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
    return text.replace("inf", "∞")


def interval(low: float, high: float, decimals: int, signed: bool = False) -> str:
    """Write an interval; "" if there is none."""
    ends = fixed(low, decimals, signed), fixed(high, decimals, signed)
    return f"[{ends[0]}, {ends[1]}]" if all(ends) else ""


def significant(value: float) -> str:
    """Write a number with three significant digits, or all that stand before the point: "" for NaN."""
    return "" if math.isnan(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def head_of(measure: Measure) -> str:
    """Return the head of a metric's column: title, unit, and which way is better."""
    unit = f" {measure.unit}" if measure.unit else ""
    return f"{measure.title}{unit} {'↑' if measure.higher_is_better else '↓'}"


def kinds(summary: Summary) -> dict[str, str]:
    """Return row → "oracle", "phi" (it says what is prior) or "hidden"."""
    lines = summary.table.to_dict("records")
    return {r["method"]: "oracle" if r["oracle"] else "hidden" if math.isnan(r["phi_mean"]) else "phi" for r in lines}


def table_of(summary: Summary, intervals: Literal["all", "first", "none"] = "all") -> Table:
    """Return the columns that have something in them.

    Args:
        intervals: which means have their interval beside them: all and the differences too; of the first metric; none.
    """
    table = summary.table
    lines = [{str(name): value for name, value in line.items()} for line in table.to_dict("records")]

    def column(key: str, head: str, cell: Callable[[Line], Cell], **options: Any) -> Column:
        return Column(key, head, tuple(cell(line) for line in lines), **options)

    columns = [column("method", "method", _method, numeric=False)]
    if (table.images < table.asked).any():
        columns.append(column("images", "images", _images, descending=True))
    for place, measure in enumerate((*summary.metrics, *summary.set_metrics)):
        if table[measure.name].notna().any():
            shown = not measure.of_set and (intervals == "all" or (intervals == "first" and place == 0))
            options = {"signature": measure.signature, "descending": measure.higher_is_better, "marked": True}
            columns.append(column(measure.name, head_of(measure), _mean(measure, shown), **options))
    first = summary.first
    if _measured(table, f"{first.name}_delta"):
        told, better = "to the best, same images", first.higher_is_better
        delta = _delta(first, intervals == "all")
        columns.append(column(f"{first.name}_delta", f"Δ {first.title}", delta, signature=told, descending=better))
        wins = _plain(f"{first.name}_wins", lambda share: fixed(100 * share, 0))
        told = "images on which it beats the best"
        columns.append(column(f"{first.name}_wins", "wins %", wins, signature=told, descending=True))
    if _measured(table, f"{first.name}_median") and table[first.name].notna().any():
        median = _plain(f"{first.name}_median", lambda value: fixed(value, first.decimals))
        told, better = f"{first.title}, all images", first.higher_is_better
        columns.append(column(f"{first.name}_median", "median", median, signature=told, descending=better))
    if table.published_psnr.notna().any():
        published = _plain("published_psnr", lambda value: fixed(value, 2))
        columns.append(column("published_psnr", "published PSNR", published, descending=True))
    told = "declared: 0 data, 1 prior"
    columns.append(column("phi_mean", "φ mean", _plain("phi_mean", _three, "hidden"), signature=told))
    if _measured(table, "phi_implied"):
        told = "measured: 1 − ∂x̂/∂y"
        columns.append(column("phi_implied", "φ implied", _plain("phi_implied", _three), signature=told))
    seconds = _plain("seconds", lambda value: significant(value) or "–")
    columns.append(column("seconds", "s/image", seconds, signature="restore, one thread"))
    columns.append(column("peak_mb", "peak MiB", _plain("peak_mb", lambda value: fixed(value, 0))))
    return _as_table(summary, columns, list(table.method), first.name)


def published_table(summary: Summary) -> Table:
    """Return published beside measured means; those measured are over all images, as papers have them."""
    measure = next((m for m in summary.metrics if m.name == METRIC), None)
    table = summary.table.set_index("method")
    rows = [row for row in table.index if row in summary.published] if measure is not None else []
    figures = [summary.published[row] for row in rows]
    cells: dict[str, list[Cell]] = {"method": [], "published": [], "measured": [], "difference": [], "source": []}
    for row, (value, source) in zip(rows, figures, strict=True):
        assert measure is not None
        mean = float(table[f"{measure.name}_all"][row])
        cells["method"].append(Cell(row, value=row))
        cells["published"].append(_number(value, fixed(value, measure.decimals)))
        cells["measured"].append(_number(mean, fixed(mean, measure.decimals)))
        cells["difference"].append(_number(mean - value, fixed(mean - value, measure.decimals, signed=True)))
        cells["source"].append(Cell(source, value=source))
    signature = "" if measure is None else measure.signature
    heads = (
        ("method", "method", "", False),
        ("published", "published PSNR dB", "", True),
        ("measured", "measured PSNR dB", signature, True),
        ("difference", "measured − published", "", True),
        ("source", "source", "", False),
    )
    columns = [
        Column(key, head, tuple(cells[key]), told, numeric=numeric, descending=numeric)
        for key, head, told, numeric in heads
    ]
    return _as_table(summary, columns, rows, "")


def _as_table(summary: Summary, columns: list[Column], rows: list[str], sorted_by: str) -> Table:
    kind = kinds(summary)
    return Table(tuple(columns), tuple(rows), tuple(kind[row] for row in rows), sorted_by)


def _measured(table: pd.DataFrame, name: str) -> bool:
    return name in table and bool(table[name].notna().any())


def _number(value: float, text: str, absent: str = "–") -> Cell:
    return Cell(text, value=value if math.isfinite(value) else None, absent=absent)


def _method(line: Line) -> Cell:
    return Cell(line["method"], "(oracle)" if line["oracle"] else "", line["method"])


def _images(line: Line) -> Cell:
    return Cell(f"{line['images']}/{line['asked']}", value=line["images"])


def _mean(measure: Measure, shown: bool) -> Callable[[Line], Cell]:
    name, digits = measure.name, measure.decimals

    def cell(line: Line) -> Cell:
        mean = fixed(line[name], digits)
        small = interval(line[f"{name}_low"], line[f"{name}_high"], digits) if shown and mean else ""
        # An infinite mean sorts as what it is: a page can sort by a number alone.
        value = None if math.isnan(line[name]) else max(-1e300, min(1e300, line[name]))
        return Cell(mean, small, value, line.get(f"{name}_mark", ""))

    return cell


def _delta(measure: Measure, shown: bool) -> Callable[[Line], Cell]:
    name, digits = f"{measure.name}_delta", measure.decimals

    def cell(line: Line) -> Cell:
        small = interval(line[f"{name}_low"], line[f"{name}_high"], digits, signed=True) if shown else ""
        text = fixed(line[name], digits, signed=True)
        return Cell(text, small if text else "", line[name] if text else None)

    return cell


def _plain(name: str, write: Callable[[float], str], absent: str = "–") -> Callable[[Line], Cell]:
    return lambda line: _number(line[name], write(line[name]), absent)


def _three(value: float) -> str:
    return fixed(value, 3)
