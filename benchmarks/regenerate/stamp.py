"""Mark committed records as those of today's code, after a sample of them has been measured again.

A record is a function of code, images and machine: another processor or another version of torch changes the last
digits of a network's sums. On such a machine the sample is compared with a reference instead, which the code that
measured the records gives there:

    git worktree add ../then COMMIT && (cd ../then && python -m benchmarks regenerate --sample-to /tmp/then)
    python -m benchmarks stamp --reference /tmp/then
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.folder import provenance
from benchmarks.folder.facts import RowFacts
from benchmarks.folder.records import TIMINGS, Record, RecordFile
from benchmarks.folder.run_folder import RECORDS, RunFolder
from benchmarks.queue import execute
from benchmarks.regenerate import committed
from benchmarks.rows import Row
from benchmarks.trial import Bench, Trial, batches
from datasets.dataset import Entry, get_dataset
from datasets.errors import SuiteError
from datasets.task import Task

MACHINE = 1e-3
"""By no more than this share of its value may a score differ from the record because of the machine: a pixel that is
rounded the other way moves a PSNR by far less."""
Records = Mapping[tuple[str, str], Record]


@dataclass(frozen=True)
class Sample:
    """What is measured again of a folder.

    Attributes:
        kept: rows that are not measured, each with the reason.
    """

    name: str
    run: RunFolder
    rows: Mapping[str, Row]
    kept: Mapping[str, str]
    bench: Bench
    trials: Sequence[Trial]

    def records(self) -> Iterator[Record]:
        """Measure."""
        jobs = provenance.cores() if self.bench.device == "cpu" else 1
        for outcome in execute(self.bench, self.trials, jobs):
            yield from outcome.records


def sample(name: str, images: int = 1) -> Sample:
    """Plan what is measured again.

    Args:
        name: a folder of `results/` with a run.
        images: so many of each row at least; a row that restores several at once restores whole batches.

    Raises:
        SuiteError: the images, the device or a metric's weights are not here, or a row does not exist any more.
    """
    run = RunFolder(committed(name))
    facts, setting = run.facts, run.facts.setting
    missing = [reason for measure in facts.measures if (reason := measure.metric.unavailable()) is not None]
    if missing:
        raise SuiteError(f"a metric cannot be computed here: {missing[0]}")
    found = {entry.name: entry for entry in get_dataset(setting.dataset).entries(setting.split)}
    gone = [image for image in facts.images if image not in found]
    if gone:
        raise SuiteError(f"{setting.dataset} has no image {gone[0]}.")
    entries = [entry for entry in found.values() if entry.name in facts.images]
    rows = {label: replace(Row.parse(row.spec), label=label) for label, row in facts.rows.items()}
    kept = {label: why for label, row in rows.items() if (why := _not_here(row, setting.task, setting.device))}
    trials = _trials([row for label, row in rows.items() if label not in kept], entries, images)
    changed = {e.name for trial in trials for e in trial.entries if e.sha256() != facts.images[e.name]}
    if changed:
        raise SuiteError(f"image {min(changed)} has changed.")
    device = provenance.resolve_device(setting.device)
    reliance = bool(run.records.phi_implied.notna().any())
    bench = Bench(setting.task, setting.dataset, setting.seed, facts.measures, device, reliance=reliance)
    return Sample(name, run, rows, kept, bench, trials)


def stamp(name: str, images: int = 1, reference: Path | None = None) -> int:
    """Measure a sample of a folder again, and mark the rows that are equal to the last bit as those of today's code.

    Their specs and fingerprints are then today's, so that an ordinary run measures them not again. Seconds and memory
    are not compared. Rows that differ, cannot run here, or run on request alone keep their fingerprints.

    Args:
        name: a folder of `results/` with a run.
        images: see `sample`.
        reference: folder of `write_sample`, to compare with instead of the records.

    Returns:
        0, or 1 if a row differs.

    Raises:
        SuiteError: see `sample`.
    """
    taken = sample(name, images)
    committed_records = taken.run.record_file().records
    known = committed_records if reference is None else _reference(reference / name)
    said, differing, count, distance = [], set[str](), 0, 0.0
    for record in taken.records():
        count += 1
        away = _distance(committed_records, record)
        distance = max(distance, away)
        differs = _difference(known, record)
        if differs is None and away > MACHINE:
            differs = f"{100 * away:.3g}% from its record, which is more than another machine explains"
        if differs is not None:
            said.append(f"{record.method} on {record.image}: {differs}")
            differing.add(record.method)
    for label, why in taken.kept.items():
        print(f"{name}: {label} is not measured and keeps its fingerprint: {why}")
    for text in said:
        print(f"{name}: {text}")
    equal = [label for label in taken.rows if label not in differing and label not in taken.kept]
    if equal:
        _write(taken, equal)
    if said:
        what = f"{len(said)} of {count} results differ; {len(differing)} rows are not stamped, {len(equal)} are"
        print(f"{name}: {what}{_hint(taken, reference)}", flush=True)
        return 1
    where = "" if reference is None else f" to the reference, and within {distance:.1g} of the records"
    print(f"{name}: {count} results of {len(equal)} rows are equal to the last bit{where}: stamped", flush=True)
    return 0


def write_sample(name: str, images: int, out: Path) -> int:
    """Measure a sample of a folder with today's code, and write its records to OUT/name. Returns 0.

    Raises:
        SuiteError: see `sample`; or the file cannot be written.
    """
    taken = sample(name, images)
    (out / name).mkdir(parents=True, exist_ok=True)
    (out / name / RECORDS).unlink(missing_ok=True)
    records = list(taken.records())
    RecordFile(out / name / RECORDS, taken.run.record_file().open).append(records)
    print(f"{name}: {len(records)} results", flush=True)
    return 0


def _write(taken: Sample, equal: Collection[str]) -> None:
    facts = taken.run.facts
    rows: dict[str, RowFacts] = {
        label: row.facts(facts.setting.task, facts.measures) if label in equal else facts.rows[label]
        for label, row in taken.rows.items()
    }
    with taken.run.locked():
        taken.run.write_facts(replace(facts, rows=rows, stamped=provenance.commit()))


def _not_here(row: Row, task: Task, device: str) -> str | None:
    return row.supports(task) or (row.method.on_request if device == "cpu" else None)


def _trials(rows: Iterable[Row], entries: Sequence[Entry], images: int) -> list[Trial]:
    """The batches that hold the first images, cut from all images as a run cuts them."""
    shapes = {entry.name: tuple(entry.load().shape) for entry in entries}
    place = {entry.name: number for number, entry in enumerate(entries)}
    trials = [
        Trial(row, batch)
        for row in rows
        for batch in batches(row, entries, shapes)
        if any(place[entry.name] < images for entry in batch)
    ]
    return sorted(trials, key=lambda trial: (place[trial.images[0]], trial.images))


def _reference(folder: Path) -> Records:
    if not (folder / RECORDS).is_file():
        raise SuiteError(f"the reference has no {folder / RECORDS}: write one with --sample-to.")
    return RecordFile(folder / RECORDS).load().records


def _difference(known: Records, now: Record) -> str | None:
    """Return what of a record is not as it was, in words, or None."""
    if now.key not in known:
        return "it has no record"
    old, new = known[now.key].cells(), now.cells()
    names = [name for name in {**old, **new} if name not in TIMINGS]
    differ = [name for name in names if repr(old.get(name)) != repr(new.get(name))]
    return ", ".join(f"{name} was {old.get(name)!r}, is {new.get(name)!r}" for name in differ) or None


def _distance(known: Records, now: Record) -> float:
    """Return the largest difference of a number from the record's, as a share of that or of 1, whichever is larger."""
    if now.key not in known:
        return 0.0
    old, new = known[now.key].cells(), now.cells()
    found = [0.0]
    for name in new:
        before, after = old.get(name), new[name]
        if isinstance(before, float) and isinstance(after, float) and name not in TIMINGS:
            found.append(abs(after - before) / max(1.0, abs(before)) if after != before else 0.0)
    return max(value for value in found if value == value)


def _hint(taken: Sample, reference: Path | None) -> str:
    """Return why equal code may differ here, if the machine or the versions are others."""
    facts = taken.run.facts
    here = {**provenance.versions(), "processor": str(provenance.hardware("cpu")["processor"])}
    then = {**facts.versions, "processor": str(facts.hardware.get("processor"))}
    others = [f"{key} {then[key]} there, {here[key]} here" for key in here if then.get(key, here[key]) != here[key]]
    if reference is not None or not others:
        return ""
    return f" (this may be the machine: {', '.join(others)}; see --reference)"
