"""Which runs may stand in one report.

Numbers are compared only where they mean the same: runs of one report share the kind of task, the protocol, the
signature of every metric and what every row stands for. Runs of one setting (`benchmarks.setting`) and of the same
images are one table. Everything else that differs makes another table, beside the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.folder.facts import Counts, Facts, RowFacts
from benchmarks.folder.pictures import Pictures, image_folder
from benchmarks.folder.records import KEYS, REST, TIMINGS, columns
from benchmarks.folder.run_folder import RunFolder
from benchmarks.report.sources import pictures_of
from benchmarks.scores.measure import Measure
from benchmarks.setting import Setting
from datasets.errors import SuiteError


@dataclass(frozen=True)
class Merged:
    """The runs of one setting as one.

    Attributes:
        label: what tells it from the other settings of the report.
        facts: of all the runs: the union of their rows, images and metrics.
        records: each result once, with a column for the level and for every metric of an image.
    """

    label: str
    facts: Facts
    records: pd.DataFrame
    runs: tuple[RunFolder, ...]

    @property
    def uneven(self) -> list[str]:
        """The rows whose code, parameters or files were not the same in all runs that measured them."""
        told = [(label, row.fingerprint) for run in self.runs for label, row in run.facts.rows.items()]
        return [label for label in self.facts.rows if len({mark for name, mark in told if name == label}) > 1]

    @cached_property
    def homes(self) -> tuple[Pictures, ...]:
        """The pictures of each run."""
        return tuple(pictures_of(run) for run in self.runs)

    def has_pictures(self, image: str) -> bool:
        """Return whether there may be pictures of an image.

        Raises:
            SuiteError: the name of the image is no name of a file.
        """
        kept = (folder for home in self.homes for folder in (home.images, home.previews))
        return any(image_folder(folder, image).exists() for folder in kept)

    def find(self, image: str, file: str) -> Path | None:
        """Return where a picture of an image lies, or None.

        Raises:
            SuiteError: the name of the image is no name of a file, or a link leads out of the run's folder.
        """
        for home in self.homes:
            path = home.find(image, file)
            if path is not None:
                return _inside(path, home)
        return None

    def implied(self, image: str, row: str) -> np.ndarray | None:
        """Return the map of the measured reliance (H',W'), or None if there is none.

        Raises:
            SuiteError: it cannot be read, or is no map.
        """
        for home in self.homes:
            arrays = home.read_reliance(row, image)
            if arrays is not None and "implied" in arrays:
                values = arrays["implied"]
                if values.ndim != 2 or not values.size or values.dtype.kind not in "fiu":
                    raise SuiteError(f"the reliance of {row} on {image} is no map of numbers.")
                return values.astype(np.float32)
        return None

    def features(self, row: str, image: str) -> dict[str, np.ndarray]:
        """Return the description of a restoration by the metrics of sets, from every run that kept one."""
        found: dict[str, np.ndarray] = {}
        for home in reversed(self.homes):
            found |= home.features(row, image)
        return found


def _inside(path: Path, home: Pictures) -> Path:
    folder = home.images.parent.resolve()
    if not path.resolve().is_relative_to(folder):
        raise SuiteError(f"{path} is a link that leads out of {folder}, and is not followed.")
    return path


def merge(runs: Sequence[RunFolder]) -> list[Merged]:
    """Put runs together by setting, in the order given.

    Raises:
        SuiteError: the runs differ in what must agree; the message names the first difference.
    """
    first = runs[0]
    for other in runs[1:]:
        _check(first, other)
    _agree(runs, lambda run: {m.name: m.signature for m in run.facts.measures}, "{0}")
    _agree(runs, lambda run: {label: row.spec for label, row in run.facts.rows.items()}, "the row {0}")
    groups: dict[Setting, list[RunFolder]] = {}
    for run in runs:
        groups.setdefault(run.facts.setting, []).append(run)
    merged = [_merge(group) for group in groups.values()]
    labels = _labels([one.facts for one in merged])
    return [replace(one, label=label) for one, label in zip(merged, labels, strict=True)]


def _refused(one: RunFolder, other: RunFolder, reason: str) -> SuiteError:
    return SuiteError(f"{one.path} and {other.path} cannot stand in one report: {reason}. Build one report each.")


def _check(one: RunFolder, other: RunFolder) -> None:
    mine, theirs = one.facts.setting, other.facts.setting
    for what, here, there in (
        ("task", mine.task.name, theirs.task.name),
        ("protocol", mine.protocol.name, theirs.protocol.name),
    ):
        if here != there:
            raise _refused(one, other, f"the {what} is {here} in the first, {there} in the second")


def _agree(runs: Sequence[RunFolder], said: Callable[[RunFolder], Mapping[str, str]], what: str) -> None:
    """Refuse runs in which one name stands for two things."""
    known: dict[str, tuple[str, RunFolder]] = {}
    for run in runs:
        for name, text in said(run).items():
            first, owner = known.setdefault(name, (text, run))
            if first != text:
                raise _refused(owner, run, f"{what.format(name)} is {first} in the first, {text} in the second")


def _labels(facts: Sequence[Facts]) -> list[str]:
    """Name the settings: what they are called, and whatever else they need to differ."""
    several_devices = len({one.setting.device for one in facts}) > 1
    names = [one.name for one in facts]
    own = len(set(names)) < len({one.setting.task for one in facts})
    labels = []
    for one in facts:
        setting = one.setting
        name = setting.task.label if own else one.name
        device = f", {setting.device}" if several_devices else ""
        labels.append(f"{name} on {setting.dataset} ({setting.split}), seed {setting.seed}{device}")
    return labels


def _merge(group: Sequence[RunFolder]) -> Merged:
    first = group[0].facts
    images: dict[str, str] = {}
    owners: dict[str, RunFolder] = {}
    rows: dict[str, RowFacts] = {}
    measures: dict[str, Measure] = {}
    for run in group:
        _check_images(run, images, owners)
        rows |= {label: row for label, row in run.facts.rows.items() if label not in rows}
        measures |= {measure.name: measure for measure in run.facts.measures if measure.name not in measures}
    records = _records(group, _open_columns(group, first.setting, measures.values()))
    failed = int((records.error != "").sum())
    facts = replace(
        first,
        measures=tuple(measures.values()),
        rows=rows,
        images=images,
        counts=Counts(len(images), len(images) * len(rows), len(records) - failed, failed),
        not_measured=_left(measures, [run.facts.not_measured for run in group]),
        not_run=_left(rows, [run.facts.not_run for run in group]),
    )
    return Merged("", facts, records, tuple(group))


def _check_images(run: RunFolder, images: dict[str, str], owners: dict[str, RunFolder]) -> None:
    """Add the images of a run to those known. One may have more than another; two sets of one name are refused."""
    mine = run.facts.images
    for image, digest in mine.items():
        if images.get(image, digest) != digest:
            raise _refused(owners[image], run, f"image {image} is not the same file in both")
    if images and not (set(mine) <= set(images) or set(images) <= set(mine)):
        apart = min(set(images) - set(mine))
        raise _refused(owners[apart], run, f"their images are others, such as {apart} in the first")
    for image, digest in mine.items():
        images.setdefault(image, digest)
        owners.setdefault(image, run)


def _left(there: Iterable[str], reasons: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Why something is in none of the runs."""
    known = set(there)
    return {name: reason for one in reasons for name, reason in one.items() if name not in known}


def _open_columns(group: Sequence[RunFolder], setting: Setting, measures: Iterable[Measure]) -> list[str]:
    """The level, the scores of images, and what else the records of the runs have."""
    asked = [setting.task.level] if setting.task.level else []
    asked += [measure.name for measure in measures if not measure.of_set]
    fixed = {*KEYS, *REST, "error"}
    found = [str(name) for run in group for name in run.records.columns if name not in fixed]
    return list(dict.fromkeys((*asked, *found)))


def _records(group: Sequence[RunFolder], open_columns: Sequence[str]) -> pd.DataFrame:
    """The records of all runs of a setting, each once.

    A result that two runs have must be the same in both, its timing aside; what one of them has not measured is taken
    from the other. A finished result stands for a failed one.
    """
    known: dict[tuple[str, str], dict[str, Any]] = {}
    owners: dict[tuple[str, str], RunFolder] = {}
    for run in group:
        for line in run.records.to_dict("records"):
            record = {str(name): value for name, value in line.items()}
            key = record["image"], record["method"]
            old = known.get(key)
            if old is None or (old["error"] and not record["error"]):
                known[key], owners[key] = record, run
            elif not record["error"]:
                column = _difference(old, record)
                if column:
                    what = f"{column} of {key[1]} on {key[0]} is {old[column]} in the first, {record[column]} in"
                    raise _refused(owners[key], run, f"{what} the second")
                known[key] = old | {name: value for name, value in record.items() if not _is_there(old.get(name))}
    names = columns(open_columns)
    texts = (*KEYS, "error")
    table = pd.DataFrame(list(known.values()), columns=names)
    return table.astype({name: str if name in texts else float for name in names})


def _is_there(value: Any) -> bool:
    """True for what was measured: neither NaN nor absent."""
    return value is not None and value == value


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """The first column in which two records of the same thing were both measured and differ."""
    for name, value in old.items():
        other = new.get(name)
        if name not in TIMINGS and _is_there(value) and _is_there(other) and value != other:
            return name
    return None
