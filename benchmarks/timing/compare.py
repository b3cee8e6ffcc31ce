"""Two files of timings against each other, by ratios to the reference kernel, so that the machines may differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets.errors import SuiteError

FLOOR = 0.25
"""In units of the reference kernel. Anything quicker counts as this: there the clock measures Python's calls and where
memory happened to lie, which differ by half between two runs of the same code."""


@dataclass(frozen=True)
class Case:
    """One timed case of a file.

    Attributes:
        name: as pytest-benchmark calls it.
        info: kind, what, subject, side, device, and on CUDA card and peak_mb.
        seconds: of the quickest round: other work on the machine only ever adds.
        relative: to the reference kernel's seconds around each round, the median.
        rounds: how often it was timed.
    """

    name: str
    info: dict[str, Any]
    seconds: float
    relative: float
    rounds: int


@dataclass(frozen=True)
class Timings:
    """The cases of a file by name, the machine they were timed on, and the versions and commit that were timed."""

    cases: dict[str, Case]
    processor: str
    versions: dict[str, str]
    commit: str


def load(path: Path) -> Timings:
    """Read the JSON of `pytest benchmarks/timing --benchmark-json=PATH`. Cases without a reference are left out.

    Raises:
        SuiteError: it is not there, not such a file, or holds no case.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        cases = {
            one["fullname"]: Case(
                one["fullname"].partition("::")[2], one["extra_info"], float(one["stats"]["min"]),
                float(one["extra_info"]["relative"]), int(one["stats"]["rounds"]),
            )
            for one in content["benchmarks"]
            if "relative" in one["extra_info"]
        }  # fmt: skip
        machine = content["machine_info"]
        processor = str(machine.get("cpu", {}).get("brand_raw", "unknown processor"))
        versions = {str(name): str(version) for name, version in machine.get("versions", {}).items()}
        commit = str(content.get("commit_info", {}).get("id", "unknown"))
    except OSError as error:
        raise SuiteError(f"cannot read {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SuiteError(
            f"{path} is not a file of timings ({type(error).__name__}: {error}): make one with pytest "
            f"benchmarks/timing --benchmark-only --benchmark-json={path}."
        ) from error
    if not cases:
        raise SuiteError(f"{path} holds no timed case.")
    return Timings(cases, processor, versions, commit)


@dataclass(frozen=True)
class Change:
    """A case of both files; `factor` is how many times as long it takes now, both at least `FLOOR`."""

    name: str
    before: Case
    now: Case

    @property
    def factor(self) -> float:
        return max(self.now.relative, FLOOR) / max(self.before.relative, FLOOR)


def changes(baseline: Timings, new: Timings) -> list[Change]:
    """Return every case that both files hold, the most slowed first.

    Raises:
        SuiteError: they have none in common.
    """
    common = [Change(new.cases[name].name, baseline.cases[name], new.cases[name]) for name in baseline.cases
              if name in new.cases]  # fmt: skip
    if not common:
        raise SuiteError("the two files have no case in common: nothing can be compared.")
    return sorted(common, key=lambda change: -change.factor)
