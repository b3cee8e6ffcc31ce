"""What the suite's committed runs say to each published cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from benchmarks.folder.run_folder import FACTS, RunFolder
from benchmarks.literature.cells import NONE, SAME, Cell
from datasets.catalog import METHODS, METRICS, SETS, TASKS
from datasets.spec import parse
from datasets.task import Task, get_task

REPRODUCED, EXCEEDED, BETWEEN, BELOW, FAILS, NOT_HERE = (
    "reproduced", "exceeded", "between", "below", "fails", "not here",
)  # fmt: skip
VERDICTS = {
    REPRODUCED: "as near to a published value as it must be",
    EXCEEDED: "over every published value",
    BETWEEN: "between sources that disagree",
    BELOW: "under every published value, by another making of the method",
    FAILS: "under every published value, by the same weights or formula",
    NOT_HERE: "not reproducible here",
}
PROTOCOL, SPLIT = "standard", "test"


@dataclass(frozen=True)
class Verdict:
    """What became of a cell.

    Attributes:
        value: our mean over the images of the set, or None.
        source: the source whose value is nearest to it, or "".
        reason: of a cell that is not here, why; of any other, what is to be said of the row.
    """

    cell: Cell
    word: str
    value: float | None = None
    source: str = ""
    reason: str = ""

    @property
    def difference(self) -> float | None:
        """Our value minus that of the nearest source."""
        return None if self.value is None else self.value - float(dict(self.cell.values)[self.source])


class Runs:
    """The committed runs, read when they are asked for: under the literature's protocol, on the whole of a test set.

    Args:
        folder: has a folder for each task, and in it one for each run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._of_task: dict[str, list[RunFolder]] = {}
        self._images: dict[str, set[str]] = {}

    def of(self, task: Task, dataset: str) -> list[RunFolder]:
        """Return the runs of a task on a set, those on a CPU first."""
        if task.name not in self._of_task:
            self._of_task[task.name] = self._read(task.name)
        if dataset not in self._images:
            self._images[dataset] = {entry.name for entry in SETS.build(dataset).entries(SPLIT)}
        return [
            run
            for run in self._of_task[task.name]
            if (run.facts.setting.task, run.facts.setting.dataset) == (task, dataset)
            and set(run.facts.images) == self._images[dataset]
        ]

    def _read(self, task: str) -> list[RunFolder]:
        found = [RunFolder(facts.parent) for facts in sorted((self.folder / task).glob(f"*/{FACTS}"))]
        settings = [run.facts.setting for run in found]
        fit = [s.protocol.name == PROTOCOL and s.split == SPLIT for s in settings]
        return sorted(compress(found, fit), key=lambda run: run.facts.setting.device != "cpu")


def judge(cell: Cell, runs: Runs) -> Verdict:
    """Return the verdict on a cell."""
    value, reason = measured(cell, runs)
    if value is None:
        return Verdict(cell, NOT_HERE, reason=reason)
    nearest = min(cell.values, key=lambda pair: abs(float(pair[1]) - value))
    # Published numbers are decimals: what is a tolerance away is not beyond it.
    near = cell.tolerance + 1e-9
    low, high = (float(cell.distinct[end]) for end in (0, -1))
    if abs(float(nearest[1]) - value) <= near:
        word = REPRODUCED
    elif value > high:
        word = EXCEEDED
    elif value > low:
        word = BETWEEN
    else:
        word = FAILS if cell.counterpart.kind == SAME else BELOW
    return Verdict(cell, word, value, nearest[0], cell.counterpart.why)


def measured(cell: Cell, runs: Runs) -> tuple[float | None, str]:
    """Return our mean of a cell, or None and why there is none."""
    row = cell.counterpart.row
    if cell.counterpart.kind == NONE:
        return None, cell.counterpart.why
    for kind, name in ((TASKS, parse(cell.task).name), (SETS, cell.dataset), (METRICS, parse(cell.measure).name)):
        if name not in kind.names():
            return None, f"no {kind.word} {name} in the suite"
    signature = METRICS.build(cell.measure).signature
    found = runs.of(get_task(cell.task), cell.dataset)
    for run in found:
        column = next((m.name for m in run.facts.image_measures if m.signature == signature), None)
        if column is None or not _has(run, row):
            continue
        mine = run.finished[run.finished.method == row]
        scores = mine[column].to_numpy(dtype=float)
        if set(mine.image) == set(run.facts.images) and np.isfinite(scores).all():
            return float(scores.mean()), ""
    return None, f"row {row} is not in the committed run" if found else "no committed run on this set at this level"


def _has(run: RunFolder, row: str) -> bool:
    """Return whether a run has a row, and it is the method that it is called after, unlike that of bm3d=nlm."""
    if row not in run.facts.rows:
        return False
    meant, made = METHODS.resolve(parse(row)), parse(run.facts.rows[row].spec)
    return (meant.name, dict(meant.given)) == (made.name, dict(made.given))
