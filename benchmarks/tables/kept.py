"""The summary of a run as it was made last, kept beside the records: a run that has nothing to do only shows it.

    DIR/.summary    JSON: what it was made from, its two tables, its sentences, and the published figures

Numbers read back to the last bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.folder import provenance
from benchmarks.folder.facts import Facts
from benchmarks.folder.run_folder import RECORDS, RunFolder
from benchmarks.tables.escape import plain
from benchmarks.tables.outputs import STAMP
from benchmarks.tables.published import published_for
from benchmarks.tables.summary import Summary
from datasets.files import write_atomically

KEPT = ".summary"
WRITTEN = ("summary.csv", "summary.md", "summary.tex", "pairs.csv", STAMP)
"""Files that were written with it: where one is missing all are to be made again."""
COUNTS_FOR_NOTHING = ("seconds", "ended", "hardware", "jobs")
"""Facts that no table shows."""
PACKAGES = ("numpy", "scipy", "pandas")


def keep(folder: RunFolder, summary: Summary, facts: Facts) -> None:
    """Keep the summary that was made of the records and the facts of a folder.

    Values of metrics of sets are made from more than these: a summary that has some is not kept.

    Raises:
        StorageError: it cannot be written.
    """
    if summary.set_metrics:
        return
    values = {
        "of": _sources(folder, facts),
        "table": _to_plain(summary.table),
        "pairs": _to_plain(summary.pairs),
        "notes": summary.notes,
        "warnings": summary.warnings,
        "published": summary.published,
    }
    write_atomically(folder.path / KEPT, json.dumps(values, default=_scalar).encode())


def kept(folder: RunFolder, facts: Facts) -> Summary | None:
    """Return the summary that was kept, or None if there is none of these records, these facts and this code."""
    try:
        values = json.loads((folder.path / KEPT).read_bytes())
        if values["of"] != _sources(folder, facts) or not all((folder.path / name).is_file() for name in WRITTEN):
            return None
        return Summary(
            title=plain(facts.title),
            table=_from_plain(values["table"]),
            pairs=_from_plain(values["pairs"]),
            metrics=facts.image_measures,
            set_metrics=(),
            notes=tuple(map(plain, values["notes"])),
            warnings=tuple(map(plain, values["warnings"])),
            published={row: (float(value), plain(source)) for row, (value, source) in values["published"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # nothing was kept, or it is damaged


def _sources(folder: RunFolder, facts: Facts) -> str:
    """A hash of all that a summary is made from."""
    digest = hashlib.sha256((folder.path / RECORDS).read_bytes())
    counted = {name: value for name, value in facts.to_json().items() if name not in COUNTS_FOR_NOTHING}
    digest.update(json.dumps([counted, published_for(facts)], sort_keys=True).encode())
    digest.update(_code().encode())
    return digest.hexdigest()


@cache
def _code() -> str:
    here = Path(__file__).parent
    files = sorted([*here.glob("*.py"), *(here.parent / "scores").rglob("*.py")])
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files))
    versions = provenance.versions()
    digest.update(repr([versions[name] for name in PACKAGES]).encode())
    return digest.hexdigest()


def _to_plain(table: pd.DataFrame) -> dict[str, list[Any]]:
    return {
        "columns": list(table.columns),
        "types": [str(kind) for kind in table.dtypes],
        "cells": [table[name].tolist() for name in table.columns],
    }


def _from_plain(values: Mapping[str, list[Any]]) -> pd.DataFrame:
    columns = zip(values["columns"], values["types"], values["cells"], strict=True)
    return pd.DataFrame({name: pd.Series(cells, dtype=kind) for name, kind, cells in columns})


def _scalar(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    return value.item()
