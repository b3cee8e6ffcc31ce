"""Records: one row per image × method, appended as they are made and never lost.

The file is plain CSV. An empty cell is "not measured". Floats are written so that they read back to the last bit.
A line without its line end is the mark of a killed writer: it is dropped on opening and its result made again. Any
other damage is the user's to decide about.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import pandas as pd

from datasets.errors import SuiteError
from datasets.files import KEPT, write_atomically

VERSION = 1
"""Version of the columns below; kept in run.json, refused when it differs."""


@dataclass(frozen=True)
class Record:
    """One image × method. σ is the true one, on the 0–255 scale."""

    task: str
    dataset: str
    image: str
    method: str
    sigma: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    auc: float | None = None
    psnr_hole: float | None = None
    ssim_hole: float | None = None
    chroma_error: float | None = None
    phi_mean: float | None = None
    phi_outside: float | None = None
    """Share of φ outside [0,1]."""
    phi_implied: float | None = None
    """Mean implied reliance (`bigprior.implied`), of runs with --reliance."""
    phi_implied_se: float | None = None
    """Standard error of `phi_implied`, over its probes."""
    sure: float | None = None
    """Stein's estimate of the mean squared error of the image before it is clipped, [0,1] scale squared; denoising."""
    seconds: float | None = None
    """Seconds of `restore` for this image (of a batch: its share)."""
    peak_mb: float | None = None
    """Peak memory of `restore` above what the process held before, MiB."""
    error: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What identifies a record within a run."""
        return self.image, self.method


COLUMNS = [field.name for field in fields(Record)]
TEXT = ("task", "dataset", "image", "method", "error")
NUMBERS = [name for name in COLUMNS if name not in TEXT]
TIMINGS = ("seconds", "peak_mb")
"""Columns that differ between two runs of the same thing; all others are equal to the last bit."""
RELIANCE = ("phi_implied", "phi_implied_se", "sure")
"""Columns that came later: files without them are read as if the cells were empty."""


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _format(record: Record) -> str:
    cells = []
    for name, value in asdict(record).items():
        if name in TEXT:
            # One record is one line, whatever an exception's message holds.
            cells.append(" ".join(str(value).split()))
        else:
            cells.append("" if value is None or math.isnan(value) else repr(float(value)))
    return _line(cells)


def _parse(line: str, number: int, path: Path, columns: list[str]) -> Record:
    cells = next(csv.reader([line]), [])
    try:
        if len(cells) != len(columns):
            raise ValueError(f"{len(cells)} columns instead of {len(columns)}")
        values = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=True))
        if not (values["image"] and values["method"]):
            raise ValueError("no image or no method")
        numbers = {name: float(values[name]) if values[name] else None for name in NUMBERS}
    except ValueError as error:
        raise SuiteError(
            f"{path} line {number} is damaged ({error}): delete that line and run again (only its result is made "
            "anew), or start over with --fresh (the old files are kept aside)."
        ) from error
    return Record(**{name: values[name] for name in TEXT}, **numbers)  # type: ignore[arg-type]


class RecordFile:
    """The records of one run, on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[tuple[str, str], Record] = {}
        self._size = 0
        self._lacks_columns = False

    def load(self) -> RecordFile:
        """Read what is there.

        Raises:
            SuiteError: a damaged line, or columns of another version.
        """
        if not self.path.exists():
            return self
        data = self.path.read_bytes()
        self._size = data.rfind(b"\n") + 1
        text = data[: self._size].decode("utf-8", errors="replace")
        lines = text.splitlines()
        columns = lines[0].split(",") if lines else COLUMNS
        if columns not in (COLUMNS, [name for name in COLUMNS if name not in RELIANCE]):
            raise SuiteError(
                f"{self.path} has other columns than this version of the suite writes: read it with the version in "
                "its run.json, choose another --out, or start over with --fresh (the old files are kept aside)."
            )
        for number, line in enumerate(lines[1:], start=2):
            record = _parse(line, number, self.path, columns)
            self.records[record.key] = record  # a later line is a second attempt at an error
        self._lacks_columns = columns != COLUMNS
        return self

    def finished(self, key: tuple[str, str]) -> bool:
        """True if there is a record of (image, method) that is not an error."""
        record = self.records.get(key)
        return record is not None and not record.error

    def news(self, record: Record) -> Record | None:
        """Return what a new result adds: all of it, its reliance to a record that has none, or None.

        Scores and times of a finished record stay as they were first measured.
        """
        old = self.records.get(record.key)
        if old is None or old.error:
            return record
        if record.phi_implied is None or old.phi_implied is not None:
            return None
        return replace(old, **{name: getattr(record, name) for name in RELIANCE})

    def append(self, records: Iterable[Record]) -> None:
        """Add records and hand them to the operating system before returning.

        Raises:
            SuiteError: they cannot be written (full disk, read-only folder); what was written before stays.
        """
        batch = list(records)
        if self._lacks_columns:
            self.rewrite({key: place for place, key in enumerate(self.records)})
        text = "".join(_format(record) for record in batch)
        if self._size == 0:
            text = ",".join(COLUMNS) + "\n" + text
        data = text.encode()
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.ftruncate(descriptor, self._size)  # drops a torn last line
                os.lseek(descriptor, self._size, os.SEEK_SET)
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SuiteError(f"cannot write {self.path}: {error.strerror}. {KEPT}") from error
        self._size += len(data)
        for record in batch:
            self.records[record.key] = record

    def rewrite(self, order: dict[tuple[str, str], int]) -> None:
        """Put the records in the given order, one line each, atomically. Keys without a place go last."""
        ordered = sorted(self.records.values(), key=lambda r: (order.get(r.key, len(order)), r.key))
        data = (",".join(COLUMNS) + "\n" + "".join(map(_format, ordered))).encode()
        write_atomically(self.path, data)
        self._size, self._lacks_columns = len(data), False
        self.records = {record.key: record for record in ordered}

    def frame(self) -> pd.DataFrame:
        """The records as a table: numbers as floats with NaN for "not measured", text as text."""
        return frame(self.records.values())


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Records as a table with the columns of `Record`."""
    table = pd.DataFrame([asdict(record) for record in records], columns=COLUMNS)
    return table.astype(dict.fromkeys(NUMBERS, float) | dict.fromkeys(TEXT, str))
