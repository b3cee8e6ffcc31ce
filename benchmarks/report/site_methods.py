"""What a site says of a method: what it is, whether it says what is prior, and all its results."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report.entries import Entry
from benchmarks.tables.column import Cell, Column, Table, fixed, head_of, interval, kinds, significant
from datasets.catalog import METHODS
from datasets.errors import SuiteError
from datasets.spec import parse

HIDDEN = "It does not say which part of a result is prior: φ is hidden."
KNOWN = "It says which part of a result is prior: φ is known, 0 for the data and 1 for the prior."


@dataclass
class Described:
    """A method and its rows.

    Attributes:
        about: facts, head → text.
        rows: the run and the label of every row.
    """

    name: str
    summary: str = ""
    text: str = ""
    about: dict[str, str] = field(default_factory=dict)
    rows: list[tuple[Entry, str]] = field(default_factory=list)

    @property
    def remarks(self) -> list[str]:
        """What the runs say beside the numbers of its rows, each sentence once."""
        said = (remark for entry, row in self.rows for remark in entry.facts.rows[row].remarks)
        return list(dict.fromkeys(said))


def describe(entries: Sequence[Entry]) -> dict[str, Described]:
    """Return every method of the runs by its name, sorted."""
    found: dict[str, Described] = {}
    for entry in entries:
        for row in entry.summary.table.method:
            name = method_of(entry, row)
            found.setdefault(name, Described(name)).rows.append((entry, row))
    for described in found.values():
        _fill(described)
    return dict(sorted(found.items()))


def method_of(entry: Entry, row: str) -> str:
    """Return the method that a row is a setting of; the row itself where its spec cannot be read here."""
    spec = entry.facts.rows[row].spec if row in entry.facts.rows else row
    try:
        return METHODS.resolve(parse(spec, "method")).name
    except SuiteError:
        return row


def _fill(described: Described) -> None:
    if described.name not in METHODS.index():
        described.summary = "This installation does not know the method: its results were made with a plug-in."
        return
    try:
        cls = METHODS.get(described.name)
        described.summary = str(cls.summary)
        described.about = {
            "Source": str(cls.citation),
            "φ": KNOWN if cls.decoupled else HIDDEN,
            "Told σ": "yes" if cls.uses_sigma else "no",
        }
        if cls.oracle:
            described.about["Oracle"] = "It looks at the clean image: an upper bound, and no competitor."
        text = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("`", "")
        described.text = "" if text.startswith(f"{cls.__name__}(") else text
    except Exception as error:  # a plug-in's fault, in whatever line of it
        described.summary = f"The method cannot be described here: {type(error).__name__}."


def results(described: Described) -> Table:
    """Return a line for every row of a method in every run."""
    lines, oracle = [], []
    for entry, row in described.rows:
        first = entry.summary.first
        place = list(entry.summary.table.method).index(row) + 1
        line: dict[Any, Any] = dict(entry.summary.table.iloc[place - 1])
        mean, delta = float(line[first.name]), float(line.get(f"{first.name}_delta", math.nan))
        ends = [float(line.get(f"{first.name}_{end}", math.nan)) for end in ("low", "high")]
        lines.append(
            [
                Cell(entry.name, value=entry.name),
                Cell(row, value=row),
                Cell(head_of(first), value=first.title),
                Cell(
                    fixed(mean, first.decimals),
                    interval(ends[0], ends[1], first.decimals),
                    _number(mean),
                    str(line.get(f"{first.name}_mark", "")),
                ),
                Cell(fixed(delta, first.decimals, signed=True), value=_number(delta)),
                Cell(f"{place} of {len(entry.summary.table)}", value=place),
                _phi(line["phi_mean"], "hidden"),
                _phi(line.get("phi_implied", math.nan), "–"),
                Cell(significant(float(line["seconds"])), value=_number(float(line["seconds"]))),
            ]
        )
        oracle.append(kinds(entry.summary)[row])
    heads = (
        ("setting", "setting", "", False),
        ("row", "row", "", False),
        ("metric", "metric", "", False),
        ("score", "mean", "of the run's first metric", True),
        ("delta", "Δ", "to the best, same images", True),
        ("place", "place", "", True),
        ("phi", "φ mean", "declared: 0 data, 1 prior", True),
        ("implied", "φ implied", "measured: 1 − ∂x̂/∂y", True),
        ("seconds", "s/image", "restore, one thread", True),
    )
    columns = tuple(
        Column(key, head, tuple(line[place] for line in lines), told, numeric=numeric)
        for place, (key, head, told, numeric) in enumerate(heads)
    )
    shown = tuple(column for column in columns if column.key != "implied" or any(cell.text for cell in column.cells))
    return Table(shown, tuple(entry.name for entry, _ in described.rows), tuple(oracle))


def _phi(value: float, absent: str) -> Cell:
    return Cell(fixed(float(value), 3), value=_number(float(value)), absent=absent)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
