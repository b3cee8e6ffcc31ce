"""The published cells, and which row of the suite each is compared with. Nothing is measured here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.literature.tables import TOLERANCE, Table
from benchmarks.tables.published import published_folder
from datasets.errors import SuiteError

ROWS = "rows.csv"
SAME, OTHER, NONE = "same", "other", "none"
KINDS = (SAME, OTHER, NONE)
"""What a row of the suite is to a published method: the same weights or formula, another making of it, or not there."""
ANY = "*"
NO_ROW = "no such method in the suite"
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Counterpart:
    """What the suite has in the place of a published method.

    Attributes:
        row: its label in run folders, or "".
        kind: one of `KINDS`.
        tolerance: in the units of PSNR, or None for the table's.
        why: what is to be said of it; of none, why there is none.
    """

    row: str
    kind: str
    tolerance: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Cell:
    """A method on a set at a level, in one metric, as all sources print it.

    Attributes:
        level: column → what is printed there.
        values: source → the printed text.
    """

    table: Table
    method: str
    testset: str
    level: tuple[tuple[str, str], ...]
    metric: str
    values: tuple[tuple[str, str], ...]
    counterpart: Counterpart

    @property
    def distinct(self) -> tuple[str, ...]:
        """The printed values, each once, ascending."""
        return tuple(sorted(dict.fromkeys(value for _, value in self.values), key=float))

    @property
    def tolerance(self) -> float:
        """How far from a printed value ours may lie."""
        own = self.counterpart.tolerance if self.metric == "psnr" else None
        return TOLERANCE[self.metric] if own is None else own

    @property
    def disagree(self) -> bool:
        """True if no value would be as near as it must be to all sources."""
        low, *_, high = (*self.distinct, self.distinct[-1])
        return float(high) - float(low) > 2 * self.tolerance

    @property
    def dataset(self) -> str:
        """The set as the suite calls it."""
        return self.table.sets.get(self.testset, self.testset)

    @property
    def task(self) -> str:
        """Spec of the suite's task."""
        return self.table.task.format_map(dict(self.level))

    @property
    def measure(self) -> str:
        """Spec of the suite's metric."""
        return self.table.metrics[self.metric].format_map(dict(self.level))

    @property
    def place(self) -> str:
        """The set and the level, as headings have them: `bsd68, sigma 25`."""
        return ", ".join([self.testset, *(f"{name} {value}" for name, value in self.level)])


def folder() -> Path:
    """Return the folder of published figures.

    Raises:
        SuiteError: there is none.
    """
    found = published_folder()
    if found is None:
        raise SuiteError("the published figures are not there: work in a clone of the repository, with its results/.")
    return found


def read(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Return a published file as text.

    Raises:
        SuiteError: it is not there, or lacks a column.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise SuiteError(f"{path.name} is not among the published figures ({path.parent}).") from None
    missing = [column for column in columns if column not in frame]
    if missing:
        raise SuiteError(f"{path} lacks the column {missing[0]}.")
    return frame


def counterparts(table: Table, path: Path) -> dict[tuple[str, str, str], Counterpart]:
    """Return (method, kind of images, level) → what the suite has; `*` stands for any kind or level.

    Raises:
        SuiteError: a line is not of a known kind, or names no row, or a row without being of one.
    """
    frame = read(path, ("table", "method", "images", "level", "row", "kind", "tolerance", "why"))
    found = {}
    for line in frame[frame.table == table.name].to_dict("records"):
        if line["kind"] not in KINDS or (line["kind"] == NONE) == bool(line["row"]):
            raise SuiteError(f"{path}: {line['method']}: kind must be same or other of a row, or none without a row.")
        tolerance = float(line["tolerance"]) if line["tolerance"] else None
        key = str(line["method"]), str(line["images"]), str(line["level"])
        found[key] = Counterpart(str(line["row"]), str(line["kind"]), tolerance, str(line["why"]))
    return found


def cells(table: Table, published: Path | None = None) -> list[Cell]:
    """Return the cells of a table: sets, methods and metrics in the order of the file, levels from low to high.

    Args:
        published: folder of published figures; None: the suite's.
    """
    at = folder() if published is None else published
    known = counterparts(table, at / ROWS)
    frame = read(at / table.file, ("method", "testset", *table.level, *table.metrics, "source"))
    kinds = frame["colour"] if "colour" in frame else pd.Series(ANY, index=frame.index)
    values: dict[tuple[tuple[str, ...], str, str, str], dict[str, str]] = {}
    for line, images in zip(frame.to_dict("records"), kinds, strict=True):
        place = tuple(str(line[column]) for column in ("testset", *table.level))
        for metric in table.metrics:
            if line[metric]:
                sources = values.setdefault((place, str(line["method"]), str(images), metric), {})
                sources[str(line["source"])] = str(line[metric])
    sets = list(dict.fromkeys(place[0] for place, *_ in values))
    made = []
    for (place, method, images, metric), sources in sorted(values.items(), key=lambda item: _order(item[0][0], sets)):
        testset, *levels = place
        found = _counterpart(known, method, images, levels)
        named = tuple(zip(table.level, levels, strict=True))
        made.append(Cell(table, method, testset, named, metric, tuple(sources.items()), found))
    return made


def _order(place: tuple[str, ...], sets: list[str]) -> tuple[int, list[tuple[float, str]]]:
    testset, *levels = place
    return sets.index(testset), [(float(text), "") if _NUMBER.fullmatch(text) else (0.0, text) for text in levels]


def _counterpart(
    known: dict[tuple[str, str, str], Counterpart], method: str, images: str, levels: list[str]
) -> Counterpart:
    level = " ".join(levels)
    for key in ((method, images, level), (method, images, ANY), (method, ANY, level), (method, ANY, ANY)):
        if key in known:
            return known[key]
    return Counterpart("", NONE, why=NO_ROW)
