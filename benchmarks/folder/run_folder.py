"""The folder of a run: facts, records and pictures, held by one writer at a time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from benchmarks.folder.facts import Facts, read_facts
from benchmarks.folder.pictures import Pictures
from benchmarks.folder.records import RecordFile
from datasets.errors import SuiteError
from datasets.files import KEPT, StorageError, sweep

FACTS, RECORDS = "run.json", "records.csv"


class RunFolder:
    """A run on disk. Nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures = Pictures(path)

    @property
    def name(self) -> str:
        """What the run is called: no path of this machine."""
        return self.path.resolve().name

    def exists(self) -> bool:
        """Return whether there is a run."""
        return (self.path / FACTS).exists()

    @cached_property
    def facts(self) -> Facts:
        """The facts of run.json; see `read_facts` for what is raised."""
        return read_facts(self.path / FACTS)

    def record_file(self, open_columns: tuple[str, ...] = ()) -> RecordFile:
        """Return the file of records, read.

        Raises:
            SuiteError: a damaged line, or columns of another version.
        """
        return RecordFile(self.path / RECORDS, open_columns).load()

    @cached_property
    def records(self) -> pd.DataFrame:
        """The records as a table, errors included."""
        return self.record_file().frame()

    @property
    def finished(self) -> pd.DataFrame:
        """The records that are not errors."""
        return self.records[self.records.error == ""].reset_index(drop=True)

    def write_facts(self, facts: Facts) -> None:
        """Write run.json."""
        facts.write(self.path / FACTS)
        self.__dict__["facts"] = facts

    def earlier(self) -> Facts | None:
        """Return the facts of an earlier run in the folder, or None.

        Raises:
            SuiteError: there are records, and nothing that says what they are of.
        """
        if self.exists():
            return self.facts
        if (self.path / RECORDS).exists():
            raise SuiteError(f"{self.path} holds records but no run.json: choose another --out, or give --fresh.")
        return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two runs must not write into one.

        Raises:
            SuiteError: another run holds it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise SuiteError(f"another run is writing to {self.path}: wait for it, or choose another --out.") from None
        except OSError as error:
            raise StorageError(f"cannot write to {self.path}: {error.strerror}. {KEPT}") from error
        try:
            sweep(self.path)
            yield
        finally:
            lock.release()

    def set_aside(self) -> None:
        """Move an earlier run's files into a subfolder; nothing is ever deleted."""
        names = (path for path in self.path.iterdir() if not path.name.startswith(("previous-", ".lock")))
        old = list(names) if self.path.exists() else []
        if old:
            aside = self._aside()
            try:
                for path in old:
                    shutil.move(path, aside / path.name)
            except OSError as error:
                raise StorageError(f"cannot set the earlier run in {self.path} aside: {error.strerror}.") from error
            self.__dict__.pop("facts", None)
            print(f"The earlier run is kept in {aside}.", file=sys.stderr)

    def copy_aside(self) -> Path:
        """Copy run.json and records into a subfolder, before records are replaced; return it."""
        aside = self._aside()
        try:
            for name in (FACTS, RECORDS):
                if (self.path / name).exists():
                    shutil.copy2(self.path / name, aside / name)
        except OSError as error:
            raise StorageError(f"cannot keep the earlier records of {self.path}: {error.strerror}. {KEPT}") from error
        return aside

    def _aside(self) -> Path:
        aside = self.path / f"previous-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        try:
            aside.mkdir()
        except OSError as error:
            raise StorageError(f"cannot write to {self.path}: {error.strerror}. {KEPT}") from error
        return aside
