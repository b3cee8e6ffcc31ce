"""run.json as a typed object, checked once, by one reader.

A results folder may come from a stranger: whatever is wrong with the file is one line, and nothing in it is trusted
before its type is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.scores.measure import Measure
from benchmarks.setting import Setting
from datasets.errors import SuiteError
from datasets.files import write_atomically

VERSION = 2
"""Of run.json and of the columns of records; another is refused."""
LARGEST = 64 * 2**20
"""Bytes of a run.json that are read."""
FRESH = "start over with --fresh (the old files are kept)"


@dataclass(frozen=True)
class RowFacts:
    """What a folder says of a row.

    Attributes:
        spec: text that makes the row again, with its parameters.
        fingerprint: of its code, its parameters and the files it reads, when it was measured.
        oracle: it was told what is hidden from the others.
        metrics: column → fingerprint of the metric that scored it.
        remarks: what must be said beside its numbers.
    """

    spec: str
    fingerprint: str
    oracle: bool = False
    metrics: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counts:
    """How many images there are, and results: asked for, there, and failed."""

    images: int
    asked: int
    done: int = 0
    errors: int = 0


@dataclass(frozen=True)
class Facts:
    """What run.json holds: how the records of a folder came about.

    Attributes:
        measures: the columns of scores, first the one that tables are sorted by.
        not_measured, not_run: metric and method → why not.
        rows, images, weights: label → facts, image → hash of its file, file of weights → hash.
        seconds: where the time of the last run went that had something to do.
        earlier: arguments, commit, versions and start of the earlier runs in the folder.
        rescored_from: name of the folder whose kept images were scored again, or "".
        stamped: the later commit whose code gave a sample of the records again, to the last bit, or "".
    """

    setting: Setting
    measures: tuple[Measure, ...]
    rows: Mapping[str, RowFacts]
    images: Mapping[str, str]
    counts: Counts
    status: str = "running"
    label: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    not_measured: Mapping[str, str] = field(default_factory=dict)
    not_run: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    jobs: int = 1
    commit: str = "unknown"
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    began: str = ""
    ended: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    earlier: tuple[Mapping[str, Any], ...] = ()
    rescored_from: str = ""
    stamped: str = ""

    @property
    def title(self) -> str:
        """Title of a table of the run."""
        setting = self.setting
        images = f"{self.counts.images} image{'' if self.counts.images == 1 else 's'}"
        return f"{self.name} on {setting.dataset} ({setting.split}), {images}, seed {setting.seed}"

    @property
    def name(self) -> str:
        """The task as titles have it, or the run's own name for it."""
        return self.label or self.setting.task.label

    @property
    def image_measures(self) -> tuple[Measure, ...]:
        """The measures that have a value per image: the columns of records."""
        return tuple(measure for measure in self.measures if not measure.of_set)

    def is_oracle(self, row: str) -> bool:
        """Return whether a row was told what is hidden from the others."""
        return row in self.rows and self.rows[row].oracle

    def to_json(self) -> dict[str, Any]:
        """The facts as plain values, in the order in which they are read best."""
        values = {f: getattr(self, f) for f in self.__dataclass_fields__ if f not in ("setting", "measures", "label")}
        values["rows"] = {label: asdict(row) for label, row in self.rows.items()}
        values["counts"] = asdict(self.counts)
        return {
            "version": VERSION,
            **self.setting.to_json(),
            "label": self.name,
            "metrics": {measure.name: measure.spec for measure in self.measures},
            "signatures": {measure.name: measure.signature for measure in self.measures},
            **{name: list(v) if isinstance(v, tuple) else v for name, v in values.items()},
        }

    def write(self, path: Path) -> None:
        """Write run.json, whole or not at all."""
        write_atomically(path, (json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n").encode())


TYPES: dict[str, type | tuple[type, ...]] = {
    "task": str, "parameters": dict, "dataset": str, "split": str, "seed": int, "protocol": str, "device": str,
    "label": str, "status": str, "arguments": dict, "metrics": dict, "signatures": dict, "not_measured": dict,
    "not_run": dict, "rows": dict, "images": dict, "weights": dict, "threads": int,
    "jobs": int, "commit": str, "versions": dict, "hardware": dict, "counts": dict, "began": str, "ended": str,
    "seconds": dict, "earlier": list, "rescored_from": str, "stamped": str,
}  # fmt: skip
TEXTS = ("metrics", "signatures", "not_measured", "not_run", "images", "weights", "versions")
"""Facts whose values are all text."""


def read_facts(path: Path) -> Facts:
    """Read and check a run.json.

    Raises:
        SuiteError: it is not there, is no JSON, lacks something, is of another version, or speaks of a task, metric or
            protocol that is unknown here.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise SuiteError(f"{path} has over {LARGEST >> 20} MiB and is not read: {FRESH}.")
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SuiteError(f"{path.parent} is not the folder of a run: it has no run.json.") from None
    except (OSError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise SuiteError(f"{path} cannot be read ({said}): {FRESH}.") from error
    if not isinstance(values, dict):
        raise SuiteError(f"{path} does not hold the facts of a run: {FRESH}.")
    if values.get("version") != VERSION:
        raise SuiteError(f"{path} is of version {values.get('version')!r}, this suite reads {VERSION}: {FRESH}.")
    wrong = _wrong(values)
    if wrong:
        raise SuiteError(f"{path} is damaged ({wrong}): {FRESH}.")
    return _from_json(values, path)


def _wrong(values: dict[str, Any]) -> str | None:
    """Return what has a wrong type, or None."""
    for name, kind in TYPES.items():
        if name not in values:
            return f"{name} is missing"
        if not isinstance(values[name], kind) or (kind is int and isinstance(values[name], bool)):
            return f"{name} is no {kind.__name__}"  # type: ignore[union-attr]
    for name in TEXTS:
        if not all(isinstance(value, str) for value in values[name].values()):
            return f"{name} holds something that is no text"
    counts = values["counts"]
    if not all(isinstance(counts.get(name, 0), int) for name in Counts.__dataclass_fields__) or "images" not in counts:
        return "counts are no whole numbers"
    for row in values["rows"].values():
        known = isinstance(row, dict) and isinstance(row.get("spec"), str) and isinstance(row.get("fingerprint"), str)
        if not known or not isinstance(row.get("oracle"), bool) or not isinstance(row.get("metrics"), dict):
            return "a row lacks its spec or its fingerprints"
        remarks = row.get("remarks", [])
        if not isinstance(remarks, list) or not all(isinstance(remark, str) for remark in remarks):
            return "the remarks of a row are no list of texts"
    return None


def _from_json(values: dict[str, Any], path: Path) -> Facts:
    try:
        setting = Setting.from_json(values)
        measures = tuple(replace(setting.protocol.measure(spec), name=name) for name, spec in values["metrics"].items())
    except SuiteError as error:
        raise SuiteError(f"{path}: {error}") from error
    for measure in measures:
        if values["signatures"].get(measure.name, measure.signature) != measure.signature:
            raise SuiteError(
                f"{path}: {measure.name} was computed as {values['signatures'][measure.name]}, this suite computes "
                f"{measure.signature}: {FRESH}."
            )
    given = {name: values[name] for name in Facts.__dataclass_fields__ if name in values}
    rows = {
        label: RowFacts(row["spec"], row["fingerprint"], row["oracle"], row["metrics"], tuple(row.get("remarks", ())))
        for label, row in values["rows"].items()
    }
    counts = {name: values["counts"].get(name, 0) for name in Counts.__dataclass_fields__}
    label = "" if values["label"] == setting.task.label else values["label"]
    special = {"setting": setting, "measures": measures, "rows": rows, "counts": Counts(**counts), "label": label}
    return Facts(**(given | special | {"earlier": tuple(values["earlier"])}))
