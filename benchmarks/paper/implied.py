"""The measurement of `python -m benchmarks.paper.reliance`: the implied reliance of φ-networks whose g is given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from benchmarks.folder import provenance
from benchmarks.folder.facts import Counts, Facts
from benchmarks.folder.pictures import Pictures
from benchmarks.folder.records import RecordFile
from benchmarks.folder.resume import earlier_run, forget_stale, merge
from benchmarks.folder.run_folder import RunFolder
from benchmarks.paper.networks import CHECKPOINTS, OURS, released_phi, row_of
from benchmarks.rows import Row
from benchmarks.scores.protocol import get_protocol
from benchmarks.setting import Setting
from benchmarks.trial import Bench, Trial, run_trial
from bigprior.phi.released import RELEASED_TEST, SET, TASK, inversion
from datasets.dataset import Entry, get_dataset
from datasets.errors import SuiteError
from datasets.fetch import file_sha256
from datasets.task import Task, get_task

PROTOCOL = "paper"
ROW = "bigprior-released"
NETWORKS = {"denoise": "denblind_bedroom_1", "inpaint-center": "inpcrop_bedroom_1"}
"""Task whose inversions were not released → folder of its φ-network in the release."""
PRIOR = "bigprior-prior"
"""The row whose image is g there."""


def measure_released(out: Path, task_spec: str, limit: int | None = None) -> dict[str, str]:
    """Measure what is not in the folder yet; return for each row that could not be why.

    Raises:
        SuiteError: no row could be measured, or the folder holds something else.
    """
    task, folder, protocol = get_task(task_spec), RunFolder(out), get_protocol(PROTOCOL)
    measures = protocol.measures(task.metrics[:1])
    images = list(zip(RELEASED_TEST, get_dataset(SET).entries("test"), strict=True))[:limit]
    rows, reasons = _rows(task, *images[0])
    if not rows:
        raise SuiteError(f"none of the released networks can be measured: {next(iter(reasons.values()))}")
    facts = Facts(
        setting=Setting(task, SET, "test", 0, protocol, "cpu"),
        measures=measures,
        rows={row.label: row.facts(task, measures) for row in rows},
        images={entry.name: entry.sha256() for _, entry in images},
        counts=Counts(len(images), len(images) * len(rows)),
        label=f"{task.label}, released φ-networks",
        not_run=reasons,
        weights={path.name: file_sha256(path) for row in rows for path in row.method.weights()},
        commit=provenance.commit(),
        versions=provenance.versions(),
        hardware=provenance.hardware("cpu"),
        began=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    bench = Bench(task, SET, 0, measures, out=out, reliance=True)
    with folder.locked():
        old = earlier_run(folder, facts)
        records = folder.record_file((*([task.level] if task.level else []), *(m.name for m in measures)))
        if old is not None:
            old = forget_stale(folder, old, facts, records, (), keep=False)
        facts = merge(old, facts)
        folder.write_facts(facts)
        for number, entry in images:
            todo = [row.label for row in rows if not _finished(records, folder, entry.name, row.label)]
            prior = _prior(task, number, entry) if todo else torch.empty(0)
            for label in todo:
                outcome = run_trial(bench, Trial(_row(task, label, prior), (entry,)))
                records.append(filter(None, map(records.news, outcome.records)))
        errors = sum(bool(record.error) for record in records.records.values())
        counts = replace(facts.counts, done=len(records.records) - errors, errors=errors)
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        folder.write_facts(replace(facts, status="finished", ended=ended, counts=counts))
    failed = {record.method: record.error for record in records.records.values() if record.error}
    return {**reasons, **failed}


def _rows(task: Task, number: int, entry: Entry) -> tuple[list[Row], dict[str, str]]:
    """The rows as they are on an image, and for each that cannot be made the reason."""
    prior = _prior(task, number, entry)
    rows, reasons = [], {}
    for name in (*CHECKPOINTS, *OURS) if task.name == TASK else (ROW,):
        try:
            rows.append(_row(task, name, prior))
        except SuiteError as error:
            reasons[name] = str(error)
    return rows, reasons


def _row(task: Task, name: str, prior: Tensor) -> Row:
    if task.name == TASK:
        return row_of(name, prior)
    return Row(name, name, released_phi(NETWORKS[task.name], prior))


def _prior(task: Task, number: int, entry: Entry) -> Tensor:
    """Return g (1,3,H,W): the released inversion, or the image of `PRIOR` on the same degraded pixels.

    Raises:
        SuiteError: there is no inversion, or the image could not be made.
    """
    if task.name == TASK:
        return inversion(number)
    with TemporaryDirectory() as place:
        bench = Bench(task, SET, 0, (), out=Path(place), save_images=True)
        (record,) = run_trial(bench, Trial(Row.parse(PRIOR), (entry,))).records
        if record.error:
            raise SuiteError(f"{PRIOR} on {entry.name}: {record.error}")
        return Pictures(Path(place)).restoration(entry.name, PRIOR)


def _finished(records: RecordFile, folder: RunFolder, image: str, label: str) -> bool:
    return records.finished((image, label)) and folder.pictures.has_reliance(label, image)
