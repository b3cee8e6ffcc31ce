"""Records: one row per image × method, appended as they are made and never lost.

The file is plain CSV. An empty cell is "not measured", `nan` is "measured, not defined". Floats are written so that
they read back to the last bit. Text that a spreadsheet would take for a formula has an apostrophe before it, which
reading takes away. A line without its line end is the mark of a killed writer: it is dropped on opening and its result
made again. Any other damage is the user's to decide about. A file of a cluster ends in a column `host`.

A process that is killed loses nothing that `append` has returned for. A power cut may take the records of the last
second (see `benchmarks.folder.syncing`), which are then made again.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from benchmarks.folder.syncing import Syncing
from datasets.errors import SuiteError
from datasets.files import KEPT, StorageError, write_atomically

KEYS = ("task", "dataset", "image", "method")
"""The first columns: text."""
REST = ("phi_mean", "phi_outside", "phi_implied", "phi_implied_se", "sure", "seconds", "peak_mb")
"""The last columns but `error`: numbers that every run may have."""
TIMINGS = ("seconds", "peak_mb")
"""Columns that differ between two runs of the same thing; all others are equal to the last bit."""
HOST = "host"
"""Last column of a file that has records of a cluster: the machine that computed them, "" for that of the command."""
FORMULA = ("=", "+", "-", "@", "\t", "'")
"""Beginnings of text that a spreadsheet computes, and the sign that keeps it from that."""
RELIANCE = ("phi_implied", "phi_implied_se", "sure")
"""Columns of runs with --reliance."""


@dataclass(frozen=True)
class Record:
    """One image × method.

    Attributes:
        values: the open columns: the task's level, if it has one, and one score per metric, by name. A score that is
            not defined is NaN; what was not measured is absent or None.
        phi_outside: share of φ outside [0,1].
        phi_implied, phi_implied_se: mean implied reliance (`bigprior.implied`) and its standard error over the probes.
        sure: Stein's estimate of the mean squared error before clipping, [0,1] scale squared; denoising.
        seconds: of `restore` for this image (of a batch: its share).
        peak_mb: peak memory of `restore` above what the process held before, MiB.
        host: the machine of a cluster that it was computed on, or "".
    """

    task: str
    dataset: str
    image: str
    method: str
    values: Mapping[str, float | None] = field(default_factory=dict)
    phi_mean: float | None = None
    phi_outside: float | None = None
    phi_implied: float | None = None
    phi_implied_se: float | None = None
    sure: float | None = None
    seconds: float | None = None
    peak_mb: float | None = None
    error: str = ""
    host: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies a record within a run."""
        return self.image, self.method

    def cells(self) -> dict[str, str | float | None]:
        """Every column with its value, except the host."""
        fixed = {name: getattr(self, name) for name in (*KEYS, *REST, "error")}
        return {**{name: fixed[name] for name in KEYS}, **self.values, **fixed}


def columns(open_columns: Iterable[str], host: bool = False) -> list[str]:
    """Return the columns of a file of records, given the open ones."""
    return [*KEYS, *open_columns, *REST, "error", *([HOST] if host else [])]


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _format(record: Record, names: Sequence[str]) -> str:
    cells = record.cells()
    # One record is one line: an exception's message may hold anything, names of images are checked before a run.
    cells |= {"error": " ".join(record.error.split()), HOST: record.host}
    return _line(_cell(cells.get(name)) for name in names)


def _cell(value: str | float | None) -> str:
    return shielded(value) if isinstance(value, str) else "" if value is None else repr(float(value))


def shielded(text: str) -> str:
    """Return text for a cell of a CSV file: a spreadsheet shows it and computes nothing."""
    return f"'{text}" if text.startswith(FORMULA) else text


class RecordFile:
    """The records of one run, on disk."""

    def __init__(self, path: Path, open_columns: Sequence[str] = ()) -> None:
        """Name the file.

        Args:
            path: of the file.
            open_columns: level and scores that this run writes, in this order; those that the file has come first.
        """
        self.path = path
        self.open = tuple(open_columns)
        self.records: dict[tuple[str, str], Record] = {}
        self._size = 0
        self._rewrite_first = False
        self._host = False
        self._syncing = Syncing(path)

    def load(self) -> RecordFile:
        """Read what is there.

        Raises:
            SuiteError: a damaged line, or columns that are no record's.
        """
        if not self.path.exists():
            return self
        data = self.path.read_bytes()
        self._size = data.rfind(b"\n") + 1
        try:
            lines = data[: self._size].decode().split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise SuiteError(f"{self.path} is damaged ({error.reason}): start over with --fresh.") from error
        try:
            found = next(csv.reader(lines[:1]), [])
        except csv.Error as error:
            raise SuiteError(f"{self.path} is damaged ({error}): start over with --fresh.") from error
        middle = tuple(name for name in found if name not in (*KEYS, *REST, "error", HOST))
        self._host = HOST in found
        if lines and (set(found) != set(columns(middle, self._host)) or len(set(found)) != len(found)):
            raise SuiteError(
                f"{self.path} has other columns than this version of the suite writes: read it with the version in "
                "its run.json, choose another --out, or start over with --fresh (the old files are kept aside)."
            )
        for number, line in enumerate(lines[1:], start=2):
            record = _parse(line, number, self.path, found)
            self.records[record.key] = record  # a later line is a second attempt
        self.open = tuple(dict.fromkeys((*middle, *self.open)))
        # Lines of an earlier attempt, or columns that are new: one line and one header are left by the next append.
        self._rewrite_first = len(self.records) < len(lines) - 1 or found != columns(self.open, self._host)
        return self

    def finished(self, key: tuple[str, str], scores: Collection[str] = ()) -> bool:
        """True if there is a record of (image, method) that is not an error and has all of these columns."""
        record = self.records.get(key)
        return record is not None and not record.error and all(record.values.get(name) is not None for name in scores)

    def news(self, record: Record) -> Record | None:
        """Return what a new result adds: all of it, columns that a finished record lacks, or None.

        What a finished record has stays as it was first measured.
        """
        old = self.records.get(record.key)
        if old is None or old.error:
            return record
        if record.error:
            return None
        lacks = {name: v for name, v in record.values.items() if old.values.get(name) is None and v is not None}
        reliance = {} if old.phi_implied is not None or record.phi_implied is None else {
            name: getattr(record, name) for name in RELIANCE
        }  # fmt: skip
        return replace(old, values={**old.values, **lacks}, **reliance) if lacks or reliance else None

    def append(self, records: Iterable[Record]) -> None:
        """Write records into the file before returning; they are on the disk a second later, or after `sync`.

        Raises:
            StorageError: they cannot be written (full disk, read-only folder); what was written before stays.
        """
        batch = list(records)
        if self._rewrite_first or (not self._host and any(record.host for record in batch)):
            self._host = self._host or any(record.host for record in batch)
            self.rewrite({key: place for place, key in enumerate(self.records)})
        names = columns(self.open, self._host)
        text = "".join(_format(record, names) for record in batch)
        if self._size == 0:
            text = _line(names) + text
        data = text.encode()
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.ftruncate(descriptor, self._size)  # drops a torn last line
                os.lseek(descriptor, self._size, os.SEEK_SET)
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
            finally:
                os.close(descriptor)
            self._syncing.written()
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}. {KEPT}") from error
        self._size += len(data)
        for record in batch:
            self.records[record.key] = record

    def sync(self) -> None:
        """Return when all that was written is on the disk; raise StorageError if it cannot be."""
        try:
            self._syncing.now()
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror}. {KEPT}") from error

    @contextmanager
    def synced(self) -> Iterator[None]:
        """Sync at the end of a block, however it ends."""
        try:
            yield
        finally:
            self.sync()

    def rewrite(self, order: Mapping[tuple[str, str], int]) -> None:
        """Put the records in the given order, one line each, atomically. Keys without a place go last."""
        ordered = sorted(self.records.values(), key=lambda r: (order.get(r.key, len(order)), r.key))
        self._host = self._host or any(record.host for record in ordered)
        names = columns(self.open, self._host)
        data = (_line(names) + "".join(_format(record, names) for record in ordered)).encode()
        write_atomically(self.path, data)
        self._size, self._rewrite_first = len(data), False
        self.records = {record.key: record for record in ordered}

    def in_order(self, order: Mapping[tuple[str, str], int]) -> bool:
        """True if the file is as `rewrite` would leave it, one line per record in the given order."""
        places = [order.get(key, len(order)) for key in self.records]
        return not self._rewrite_first and places == sorted(places)

    def forget(self, keys: Iterable[tuple[str, str]]) -> None:
        """Take records out, on disk as well."""
        for key in keys:
            self.records.pop(key, None)
        self.rewrite({key: place for place, key in enumerate(self.records)})

    def hosts(self) -> dict[str, int]:
        """The machines of the measured times and how many each has, most first; empty if none was a cluster's."""
        counts = _hosts(self.records.values())
        return counts if any(counts) else {}

    def frame(self) -> pd.DataFrame:
        """The records as a table: see `frame`."""
        return frame(self.records.values(), self.open)


def _parse(line: str, number: int, path: Path, names: Sequence[str]) -> Record:
    try:
        cells = next(csv.reader([line], strict=True), [])
        if len(cells) != len(names):
            raise ValueError(f"{len(cells)} columns instead of {len(names)}")
        values = dict(zip(names, cells, strict=True))
        if not (values["image"] and values["method"]):
            raise ValueError("no image or no method")
        texts = {name: values.pop(name).removeprefix("'") for name in (*KEYS, "error", HOST) if name in values}
        numbers = {name: float(text) if text else None for name, text in values.items()}
    except (ValueError, csv.Error) as error:
        raise SuiteError(
            f"{path} line {number} is damaged ({error}): delete that line and run again (only its result is made "
            "anew), or start over with --fresh (the old files are kept aside)."
        ) from error
    rest = {name: numbers.pop(name) for name in REST}
    return Record(**texts, values=numbers, **rest)  # type: ignore[arg-type]


def frame(records: Iterable[Record], open_columns: Iterable[str]) -> pd.DataFrame:
    """Records as a table: numbers as floats with NaN for "not measured", text as text.

    Times of different machines do not compare: where a cluster measured, those of the machine that has most of them are
    kept, and the others are NaN.
    """
    rows = list(records)
    hosts = list(_hosts(rows))
    if len(hosts) > 1:
        rows = [row if row.host == hosts[0] else replace(row, **dict.fromkeys(TIMINGS)) for row in rows]  # type: ignore[arg-type]
    names = columns(open_columns)
    table = pd.DataFrame([row.cells() for row in rows], columns=names)
    texts = (*KEYS, "error")
    return table.astype({name: str if name in texts else float for name in names})


def _hosts(records: Iterable[Record]) -> dict[str, int]:
    return dict(Counter(record.host for record in records if record.seconds is not None).most_common())
