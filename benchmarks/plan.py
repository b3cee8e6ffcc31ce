"""What is asked of a run, checked before anything is computed, and what of it is still to be done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.executors.lanes import Engine, LocalEngine
from benchmarks.executors.local import THREADS
from benchmarks.folder import provenance
from benchmarks.folder.facts import Counts, Facts, read_facts
from benchmarks.folder.images import images_of
from benchmarks.folder.records import RecordFile
from benchmarks.folder.resume import stale_rows
from benchmarks.folder.run_folder import FACTS, RunFolder
from benchmarks.rows import Row, select
from benchmarks.scores.measure import Measure, check_columns
from benchmarks.scores.protocol import get_protocol
from benchmarks.setting import Setting
from benchmarks.trial import Bench, Trial, batches
from datasets.dataset import Dataset, Entry
from datasets.errors import SuiteError
from datasets.fetch import cached_sha256
from datasets.task import Task

PREVIEWS, MOST_PREVIEWS = 2, 32
"""Of so many images at least, PNGs are kept to look at, and of no more than so many, however small they are:"""
PREVIEW_PIXELS = 2**23
"""between the two, as long as their restorations have no more pixels than this: five photographs by twenty methods."""


@dataclass(frozen=True)
class Request:
    """What is asked of one run: objects that are known to exist, and names of rows."""

    task: Task
    dataset: Dataset
    out: Path
    methods: str = "all"
    metrics: str | None = None
    split: str = "test"
    limit: int | None = None
    seed: int = 0
    device: str = "cpu"
    jobs: int | None = None
    protocol: str = "standard"
    save_images: bool = False
    reliance: bool = False
    fresh: bool = False
    refresh: tuple[str, ...] = ()
    keep: bool = False
    strict: bool = False
    engine: Engine = field(default_factory=LocalEngine)
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A checked request: everything that can be wrong with it has been said before work begins.

    Attributes:
        shapes: of the images; those that were not looked at (see `make_plan`) have none.
        unread: images that are left out, each with the reason.
    """

    request: Request
    setting: Setting
    rows: list[Row]
    measures: tuple[Measure, ...]
    entries: list[Entry]
    shapes: dict[str, tuple[int, ...]]
    facts: Facts
    bench: Bench
    unread: dict[str, str]

    @property
    def scores(self) -> tuple[str, ...]:
        """The columns of scores that a finished record has."""
        return tuple(measure.name for measure in self.measures if not measure.of_set)

    @property
    def looked(self) -> bool:
        """True if every image was looked at: without its shape none can be restored."""
        return len(self.shapes) == len(self.entries)


def make_plan(request: Request, known: Mapping[str, str] | None = None) -> Plan:
    """Check a request and look at every image once.

    Args:
        known: name → hash of images that need not be looked at again if they are unchanged.

    Raises:
        SuiteError: whatever is wrong, before anything is computed.
    """
    task, dataset = request.task, request.dataset
    protocol = get_protocol(request.protocol)
    rows, reasons = select(task, request.methods, request.device)
    for label in request.refresh:
        if label not in {row.label for row in rows}:
            raise SuiteError(f"--refresh {label}: no such row in this run ({', '.join(row.label for row in rows)}).")
    for row in rows:
        if reason := row.method.supports_set(dataset.label, request.split, request.seed):
            raise SuiteError(f"method '{row.label}' cannot run on {dataset.label}, seed {request.seed}: {reason}.")
    entries, shapes, hashes, unread = images_of(task, dataset, request.split, request.limit, request.strict, known)
    asked = protocol.measures(task.metrics if request.metrics is None else request.metrics)
    check_columns([measure.name for measure in asked], [task.level] if task.level else [])
    unmeasured = {m.name: reason for m in asked if (reason := m.metric.unavailable()) is not None}
    measures = tuple(m for m in asked if m.name not in unmeasured)
    if not measures:
        raise SuiteError(f"none of the metrics can be computed: {next(iter(unmeasured.values()))}")
    setting = Setting(task, dataset.label, request.split, request.seed, protocol, request.device.split(":")[0])
    bench = Bench(task, dataset.label, request.seed, measures, request.device, request.out, request.save_images,
                  request.reliance)  # fmt: skip
    facts = Facts(
        setting=setting,
        measures=measures,
        rows={row.label: row.facts(task, measures) for row in rows},
        images=hashes,
        counts=Counts(len(entries), len(entries) * len(rows)),
        arguments=request.arguments,
        not_measured=unmeasured,
        not_run=reasons,
        weights=_weights(rows, measures),
        threads=THREADS,
        commit=provenance.commit(),
        versions=provenance.versions(),
        began=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Plan(request, setting, rows, measures, entries, shapes, facts, bench, unread)


def look(plan: Plan) -> Plan:
    """Return a plan for which every image was looked at.

    Raises:
        SuiteError: an image cannot be used; see `images_of`.
    """
    if plan.looked:
        return plan
    asked = plan.request
    entries, shapes, hashes, unread = images_of(asked.task, asked.dataset, asked.split, asked.limit, asked.strict)
    facts = replace(plan.facts, images=hashes, counts=Counts(len(entries), len(entries) * len(plan.rows)))
    return replace(plan, entries=entries, shapes=shapes, facts=facts, unread=unread)


def known_images(request: Request, folder: RunFolder) -> Mapping[str, str]:
    """The images that an earlier run in the folder has read, with their hashes; none if it cannot go on."""
    if request.fresh or not folder.exists():
        return {}
    try:
        facts = read_facts(folder.path / FACTS)
    except SuiteError:  # said when the folder is held
        return {}
    same = facts.setting.task == request.task and facts.setting.dataset == request.dataset.label
    return facts.images if same else {}


def complete(plan: Plan, old: Facts | None, records: RecordFile, folder: RunFolder) -> bool:
    """True if every result that is asked for is there, and would come out the same today."""
    if old is None or stale_rows(old, plan.facts, plan.request.refresh):
        return False
    return all(_finished(plan, records, folder, entry.name, row) for entry in plan.entries for row in plan.rows)


def _weights(rows: Sequence[Row], measures: Sequence[Measure]) -> dict[str, str]:
    """sha256 of every file of weights that a row or a metric reads."""
    paths = {path for row in rows for path in row.method.weights()}
    paths |= {path for measure in measures for path in measure.metric.weights()}
    found: dict[str, str] = {}
    for path in sorted(paths):
        if path.is_file():  # two folders of results have files of one name
            name = f"{path.parent.name}/{path.name}" if path.name in found else path.name
            found[name] = cached_sha256(path)
    return found


def pending(plan: Plan, done: RecordFile, folder: RunFolder) -> list[Trial]:
    """The trials that are still to be done, image by image.

    Batches are cut from the whole list of images, never from what is left of it, so that a resumed run forms the
    same batches as an undisturbed one. Errors are tried again.
    """
    place = {entry.name: number for number, entry in enumerate(plan.entries)}
    previews = _previews(plan)
    trials = []
    for row in plan.rows:
        for batch in batches(row, plan.entries, plan.shapes):
            if not all(_finished(plan, done, folder, entry.name, row) for entry in batch):
                shown = tuple(entry.name for entry in batch if entry.name in previews)
                trials.append(Trial(row, batch, shown))
    return sorted(trials, key=lambda trial: (place[trial.images[0]], trial.images))


def _previews(plan: Plan) -> frozenset[str]:
    """The images of which PNGs are kept: the first, and as many more as there is room for."""
    pixels = accumulate(len(plan.rows) * math.prod(shape[-2:]) for shape in plan.shapes.values())
    kept = [name for (place, name), sum_ in zip(enumerate(plan.shapes), pixels, strict=True)
            if place < PREVIEWS or (place < MOST_PREVIEWS and sum_ <= PREVIEW_PIXELS)]  # fmt: skip
    return frozenset(kept)


def _finished(plan: Plan, done: RecordFile, folder: RunFolder, image: str, row: Row) -> bool:
    label = row.label
    if not done.finished((image, label), plan.scores):
        return False
    if plan.request.reliance and not row.method.elsewhere:
        measured = done.records[image, label].phi_implied is not None
        if not (measured and folder.pictures.has_reliance(label, image)):
            return False
    sets = {measure.name for measure in plan.measures if measure.of_set}
    if sets and not sets <= set(folder.pictures.features(label, image)):
        return False
    return not plan.request.save_images or folder.pictures.has_saved(label, image)
