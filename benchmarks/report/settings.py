"""Which runs may stand in one report.

Numbers are compared only where they mean the same: runs of one report share the task, the protocol and the signature
of every metric. Runs that also share dataset, split, seed, parameters and device are one setting: their rows stand in
one table. Everything else that differs makes another setting, beside the first.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.records import COLUMNS, TIMINGS
from benchmarks.report.sources import Source
from benchmarks.store import Store
from datasets.errors import SuiteError

REPORT = ("task", "protocol")
SETTING = ("dataset", "split", "parameters", "seed", "device")


@dataclass(frozen=True)
class Setting:
    """The merged runs of one setting; `run` holds what `summarise` needs of run.json."""

    label: str
    run: dict[str, Any]
    records: pd.DataFrame
    sources: tuple[Source, ...]

    def find(self, image: str, file: str) -> Path | None:
        """Return where a picture of an image lies, or None. Those of --save-images are of every image."""
        paths = (source.home / kept / image / file for source in self.sources for kept in ("images", "preview"))
        return next((path for path in paths if path.is_file()), None)

    def implied(self, image: str, method: str) -> np.ndarray | None:
        """Return the map of the measured reliance (·,·), or None if there is none.

        Raises:
            SuiteError: it cannot be read.
        """
        for source in self.sources:
            arrays = Store(source.home).read_reliance(method, image)
            if arrays is not None and "implied" in arrays:
                return arrays["implied"].astype(np.float32)
        return None


def merge_settings(sources: Sequence[Source]) -> list[Setting]:
    """Put runs together by setting, in the order given.

    Raises:
        SuiteError: the runs differ in what must agree; the message names the first difference.
    """
    first = sources[0]
    for other in sources[1:]:
        _check(first, other)
    signatures: dict[str, tuple[str, Source]] = {}
    groups: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        for name, signature in source.run["signatures"].items():
            known, owner = signatures.setdefault(name, (signature, source))
            if known != signature:
                raise _refused(owner, source, f"{name} is {known} in the first, {signature} in the second")
        groups[json.dumps([source.run[name] for name in SETTING], sort_keys=True)].append(source)
    several_devices = len({source.run["device"] for source in sources}) > 1
    return [_merge(group, several_devices) for group in groups.values()]


def _refused(one: Source, other: Source, reason: str) -> SuiteError:
    return SuiteError(f"{one.folder} and {other.folder} cannot stand in one report: {reason}. Build one report each.")


def _check(one: Source, other: Source) -> None:
    for name in REPORT:
        if one.run[name] != other.run[name]:
            raise _refused(one, other, f"the {name} is {one.run[name]} in the first, {other.run[name]} in the second")


def _merge(group: Sequence[Source], say_device: bool) -> Setting:
    first = group[0]
    hashes: dict[str, tuple[str, Source]] = {}
    for source in group:
        for image, digest in source.run["images"].items():
            known, owner = hashes.setdefault(image, (digest, source))
            if known != digest:
                raise _refused(owner, source, f"image {image} is not the same file in both")
    metrics = list(dict.fromkeys(name for source in group for name in source.run["metrics"]))
    signatures = {name: text for source in group for name, text in source.run["signatures"].items()}
    run = first.run | {"metrics": metrics, "signatures": signatures}
    run["counts"] = first.run["counts"] | {"images": len(hashes)}
    label = f"{run['label']} on {run['dataset']} ({run['split']}), seed {run['seed']}"
    return Setting(label + (f", {run['device']}" if say_device else ""), run, _records(group), tuple(group))


def _records(group: Sequence[Source]) -> pd.DataFrame:
    """The records of all runs of a setting, each once.

    A result that two runs have must be the same in both, its timing aside; a finished one stands for a failed one.
    """
    known: dict[tuple[str, str], tuple[dict[str, Any], Source]] = {}
    for source in group:
        for values in source.records[COLUMNS].itertuples(index=False, name=None):
            record: dict[str, Any] = dict(zip(COLUMNS, values, strict=True))
            key = record["image"], record["method"]
            old, owner = known.setdefault(key, (record, source))
            if old["error"] and not record["error"]:
                known[key] = record, source
            elif not old["error"] and not record["error"]:
                column = _difference(old, record)
                if column:
                    what = f"{column} of {key[1]} on {key[0]} is {old[column]} in the first, {record[column]} in"
                    raise _refused(owner, source, f"{what} the second")
    return pd.DataFrame([record for record, _ in known.values()], columns=COLUMNS)


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str | None:
    """The first column in which two records of the same thing were both measured and differ."""
    for name, value in old.items():
        other = new[name]
        both = not pd.isna(value) and not pd.isna(other)
        if name not in TIMINGS and both and value != other:
            return name
    return None
