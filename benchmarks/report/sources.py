"""Read the folders that a report is asked for; what cannot be read is said, not hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.plan import read_run
from benchmarks.records import RecordFile
from datasets.errors import SuiteError


@dataclass(frozen=True)
class Source:
    """A run as it lies in a folder.

    Attributes:
        run: the facts of run.json.
        records: table of records.
        home: folder that its pictures are in.
    """

    folder: Path
    run: dict[str, Any]
    records: pd.DataFrame
    home: Path

    @property
    def name(self) -> str:
        """What the run is called in the report: no path of this machine."""
        return self.folder.resolve().name


def read_source(folder: Path) -> Source:
    """Read a run.

    Raises:
        SuiteError: the folder, its run.json or its records are not there, damaged or of another version.
    """
    if not folder.is_dir():
        raise SuiteError(f"{folder} is not a folder.")
    if not (folder / "run.json").exists():
        raise SuiteError(f"{folder} holds no run: {_remedy(folder)}")
    run = read_run(folder)
    records = RecordFile(folder / "records.csv").load().frame()
    if records.empty:
        raise SuiteError(f"{folder} holds no records: its run stopped before the first; run the same command again.")
    # Scores of another protocol are kept in a subfolder of the run whose images they were computed from.
    home = folder.resolve().parent if "rescored_from" in run else folder
    return Source(folder, run, records, home)


def _remedy(folder: Path) -> str:
    runs = sorted(path.parent for path in folder.glob("*/run.json"))
    if runs:
        more = f" (there are {len(runs)})" if len(runs) > 1 else ""
        return f"give the folder of a run, such as {runs[0]}{more}."
    if (folder / "records.csv").exists():
        return "there are records, but no run.json that says what they are records of."
    return "it has no run.json and no records.csv; make one with `python -m benchmarks.run --out`."


def read_sources(folders: Sequence[Path]) -> tuple[list[Source], list[str]]:
    """Read what can be read of the folders.

    Returns:
        the runs, each folder once, and a sentence for every folder that had to be left out.

    Raises:
        SuiteError: none can be read; the message names every reason.
    """
    sources, missing = [], []
    for folder in {folder.resolve(): folder for folder in folders}.values():
        try:
            sources.append(read_source(folder))
        except SuiteError as error:
            missing.append(f"Left out: {error}")
    if not sources:
        raise SuiteError(" ".join(reason.removeprefix("Left out: ") for reason in missing))
    return sources, missing
