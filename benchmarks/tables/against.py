"""The committed rows of a setting beside those of a run, without a folder being copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.folder.facts import Facts, RowFacts
from benchmarks.folder.provenance import ROOT
from benchmarks.folder.records import TIMINGS
from benchmarks.folder.run_folder import FACTS, RunFolder
from datasets.errors import SuiteError

COMMITTED = "committed"
MACHINE = ("processor", "gpu")
"""The hardware on which a time depends: a worker has one thread, whatever the number of cores."""


class NothingBeside(SuiteError):
    """A folder has no run of a setting."""


def results_folder(name: str) -> Path:
    """Return the folder of runs that `--against` names: `committed`, or any other folder.

    Raises:
        SuiteError: there is no such folder.
    """
    folder = ROOT / "results" if name == COMMITTED else Path(name)
    if not folder.is_dir():
        hint = " (an installed package has no committed results: work in a clone)" if name == COMMITTED else ""
        raise SuiteError(f"--against {name}: {folder} is not a folder{hint}.")
    return folder


def beside(run: RunFolder, others: Path) -> tuple[pd.DataFrame, Facts]:
    """Return the records and facts of a run with the rows that another folder has of the same setting and images.

    A row that the run has itself is its own. A row is taken if it finished all images of the run, and their files are
    the same by their hashes. Times of other hardware or other libraries are left out, and the row says so.

    Args:
        others: folder of runs, at any depth.

    Raises:
        NothingBeside: no run in there is of this setting and these images.
        SuiteError: one that is has damaged records.
    """
    facts, records = run.facts, run.records
    rows: dict[str, RowFacts] = dict(facts.rows)
    parts = [records]
    found = False
    for path in sorted(others.rglob(FACTS)):
        other = RunFolder(path.parent)
        if path.parent.resolve() == run.path.resolve() or not _is_of(path, facts) or other.facts.rescored_from:
            continue
        if any(other.facts.images.get(image) != digest for image, digest in facts.images.items()):
            continue
        found = True
        mine = other.finished[other.finished.image.isin(facts.images)]
        apart = difference(facts, other.facts)
        for label, row in other.facts.rows.items():
            theirs = mine[mine.method == label]
            if label in rows or len(theirs) < len(facts.images):
                continue
            told = f"of {other.facts.commit[:7]}" + (f", {apart}: its times are left out" if apart else "")
            rows[label] = replace(row, remarks=(*row.remarks, told))
            parts.append(theirs.assign(**dict.fromkeys(TIMINGS, float("nan"))) if apart else theirs)
    if not found:
        what = f"{facts.setting.label}, seed {facts.setting.seed}"
        raise NothingBeside(f"{others} holds no run of {what}, of these images.")
    together = pd.concat([part.dropna(axis=1, how="all") for part in parts], ignore_index=True)
    together = together.reindex(columns=[*records.columns, *(c for c in together.columns if c not in records.columns)])
    return together.fillna({"error": ""}), replace(facts, rows=rows)


def difference(one: Facts, other: Facts) -> str:
    """Return in which libraries and hardware two runs differ, as the other has them; "" if in none."""
    machine = {name: other.hardware[name] for name in MACHINE if name in other.hardware}
    return ", ".join([*_changed(one.versions, other.versions), *_changed(one.hardware, machine)])


def _changed(here: Mapping[str, object], there: Mapping[str, object]) -> list[str]:
    return [f"{name} {there[name]}" for name in there if name in here and here[name] != there[name]]


def _is_of(path: Path, facts: Facts) -> bool:
    """Return whether a run is of the same setting; one that cannot be read is not."""
    try:
        return RunFolder(path.parent).facts.setting == facts.setting
    except SuiteError:
        return False
