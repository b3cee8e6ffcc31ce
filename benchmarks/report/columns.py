"""What the tables of the report show: heads with their metric's signature, cells with what they sort by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from benchmarks.metrics.base import Metric
from benchmarks.published import published_psnr
from benchmarks.summary import Summary


@dataclass(frozen=True)
class Cell:
    """A cell: what it says, a second smaller line, what it sorts by (None: last), and "best", "tied" or ""."""

    text: str
    small: str = ""
    value: float | str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its head, how its numbers were computed or what they are, and which way a first click sorts."""

    key: str
    head: str
    signature: str = ""
    numeric: bool = True
    descending: bool = False


@dataclass(frozen=True)
class Line:
    """A row of a table; `kind` says what the filter may ask for."""

    method: str
    kind: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table of the page; `sorted_by` is the key of the column that its lines are in order of."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    sorted_by: str = ""


Make = Callable[[Any], Cell]


def kinds(summary: Summary) -> dict[str, str]:
    """Method → "oracle", "phi" (says what is prior) or "hidden"."""
    rows = summary.table.to_dict("records")
    return {r["method"]: "oracle" if r["oracle"] else "hidden" if math.isnan(r["phi_mean"]) else "phi" for r in rows}


def summary_table(summary: Summary, records: pd.DataFrame) -> Table:
    """One line per method: every metric with its interval, the difference to the best, φ and the cost."""
    table, first = summary.table, summary.metrics[0]
    columns: list[tuple[Column, Make]] = [
        (Column("method", "Method", numeric=False), lambda row: Cell(row["method"], value=row["method"]))
    ]
    if (table.images < table.asked).any():
        columns.append(
            (Column("images", "Images", descending=True),
             lambda row: Cell(f"{row['images']}/{row['asked']}", value=row["images"]))
        )  # fmt: skip
    for metric in summary.metrics:
        if table[metric.name].notna().any():
            columns.append((_head(metric), _mean(metric)))
        if metric is first and f"{metric.name}_delta" in table and table[f"{metric.name}_delta"].notna().any():
            columns += [_delta(metric), _wins(metric)]
    columns += [
        (Column("phi_mean", "φ mean", "declared: 0 data, 1 prior"), _phi),
    ]
    implied = records.groupby("method").phi_implied.mean()
    if implied.notna().any():
        columns.append(
            (Column("phi_implied", "φ implied", "measured: 1 − ∂x̂/∂y"), lambda row: _implied(implied[row["method"]]))
        )
    columns += [
        (Column("seconds", "s/image", "restore, one thread"), _plain("seconds", brief)),
        (Column("peak_mb", "Peak MiB"), _plain("peak_mb", lambda v: f"{v:.0f}")),
    ]
    kind = kinds(summary)
    lines = [
        Line(row["method"], kind[row["method"]], tuple(make(row) for _, make in columns))
        for row in table.to_dict("records")
    ]
    return Table(tuple(column for column, _ in columns), tuple(lines), first.name)


def published_table(summary: Summary, run: dict[str, Any]) -> Table:
    """Published beside measured PSNR; the measured mean is over all images, as papers have it."""
    published = published_psnr(run["task"], run["dataset"], str(run["parameters"].get("sigma", "")))
    columns = (
        Column("method", "Method", numeric=False),
        Column("published", "Published PSNR dB", descending=True),
        Column("measured", "Measured PSNR dB", run["signatures"].get("psnr", ""), descending=True),
        Column("difference", "Measured − published", descending=True),
        Column("source", "Source", numeric=False),
    )
    kind = kinds(summary)
    lines = []
    for row in summary.table.to_dict("records"):
        if row["method"] in published and "psnr_all" in row:
            value, source = published[row["method"]]
            measured = _none(row["psnr_all"])
            gap = None if measured is None else measured - value
            few = "" if row["images"] == row["asked"] else f"{row['images']} of {row['asked']} images"
            cells = (
                Cell(row["method"], value=row["method"]),
                Cell(f"{value:.2f}", value=value),
                Cell("–" if measured is None else f"{measured:.2f}", few, measured),
                Cell("–" if gap is None else f"{gap:+.2f}".replace("-", "−"), value=gap),
                Cell(source, value=source),
            )
            lines.append(Line(row["method"], kind[row["method"]], cells))
    return Table(columns, tuple(lines))


def brief(value: float) -> str:
    """Three significant digits without an exponent where that is short."""
    return f"{value:.3g}" if 1e-4 <= abs(value) < 100 or not value else f"{value:.0f}" if value >= 1 else f"{value:.1e}"


def _none(value: Any) -> float | None:
    return None if value is None or pd.isna(value) or math.isinf(value) else float(value)


def _head(metric: Metric) -> Column:
    arrow = "↑" if metric.higher_is_better else "↓"
    unit = f" {metric.unit}" if metric.unit else ""
    return Column(metric.name, f"{metric.title}{unit} {arrow}", metric.signature, descending=metric.higher_is_better)


def _mean(metric: Metric) -> Make:
    def make(row: Any) -> Cell:
        value, low, high = (_none(row[metric.name + end]) for end in ("", "_low", "_high"))
        if value is None:
            return Cell("–")
        digits = metric.decimals
        interval = "" if low is None or high is None else f"[{low:.{digits}f}, {high:.{digits}f}]"
        return Cell(f"{value:.{digits}f}", interval, value, row[f"{metric.name}_mark"])

    return make


def _delta(metric: Metric) -> tuple[Column, Make]:
    def make(row: Any) -> Cell:
        value, low, high = (_none(row[f"{metric.name}_delta{end}"]) for end in ("", "_low", "_high"))
        if value is None:
            return Cell("–")
        digits = metric.decimals
        interval = "" if low is None or high is None else f"[{low:+.{digits}f}, {high:+.{digits}f}]".replace("-", "−")
        return Cell(f"{value:+.{digits}f}".replace("-", "−"), interval, value)

    head = Column(f"{metric.name}_delta", f"Δ {metric.title}", "to the best, same images")
    return replace(head, descending=metric.higher_is_better), make


def _wins(metric: Metric) -> tuple[Column, Make]:
    name = f"{metric.name}_wins"
    head = Column(name, "Wins %", "images on which it beats the best", descending=True)
    return head, _plain(name, lambda share: f"{100 * share:.0f}")


def _plain(name: str, write: Callable[[float], str]) -> Make:
    def make(row: Any) -> Cell:
        value = _none(row[name])
        return Cell("–" if value is None else write(value), value=value)

    return make


def _implied(mean: float) -> Cell:
    value = _none(mean)
    return Cell("–" if value is None else f"{value:.3f}", value=value)


def _phi(row: Any) -> Cell:
    value = _none(row["phi_mean"])
    return Cell("hidden") if value is None else Cell(f"{value:.3f}", value=value)
