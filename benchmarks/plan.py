"""From arguments to a checked plan: what is to be done, what was done before, and the facts that go into run.json."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.processes import THREADS
from benchmarks.protocol import get_protocol
from benchmarks.records import VERSION, RecordFile
from benchmarks.rows import Row, select
from benchmarks.store import Store
from benchmarks.worker import Item, Job
from datasets.dataset import Dataset, Entry, get_dataset
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.task import Task, get_task, tasks

PREVIEWS = 2
"""Of so many images at least, PNGs are kept to look at,"""
PREVIEW_PIXELS = 2**23
"""and of more as long as their restorations have no more pixels than this: five photographs by twenty methods."""
RUNS = environment.ROOT / "results" / "runs"


@dataclass(frozen=True)
class Plan:
    """A checked request: everything that can be wrong with the arguments has been said before work begins."""

    task: Task
    rows: list[Row]
    reasons: dict[str, str]
    dataset: Dataset
    split: str
    entries: list[Entry]
    shapes: dict[str, tuple[int, ...]]
    hashes: dict[str, str]
    metrics: tuple[str, ...]
    unmeasured: dict[str, str]
    job: Job
    jobs: int
    arguments: dict[str, Any]


def _check_numbers(arguments: argparse.Namespace) -> None:
    for name in ("limit", "jobs"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise SuiteError(f"--{name} {value} is out of range: give 1 or more.")
    if arguments.seed < 0:
        raise SuiteError(f"--seed {arguments.seed} is out of range: give 0 or more.")


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Check the arguments and look at every image once.

    Raises:
        SuiteError: whatever is wrong, before anything is computed.
    """
    _check_numbers(arguments)
    parameters = {} if arguments.sigma is None else {"sigma": arguments.sigma}
    if parameters and arguments.task in tasks() and arguments.task != "denoise":
        raise SuiteError(f"--sigma belongs to denoise; {arguments.task} adds no noise.")
    task = get_task(arguments.task, **parameters)
    protocol = get_protocol(arguments.protocol)
    device = environment.resolve_device(arguments.device)
    rows, reasons = select(task, arguments.methods, device)
    dataset = get_dataset(arguments.dataset)
    if task.needs_colour and not dataset.colour:
        raise SuiteError(f"the images of {dataset.name} are grayscale: {task.name} needs colour images.")
    missing = dataset.available(arguments.split)
    if missing is not None:
        print(f"note: {missing}", file=sys.stderr)
    entries = dataset.entries(arguments.split)[: arguments.limit]
    shapes, hashes = {}, {}
    for entry in entries:
        image = entry.load()
        if task.needs_colour and image.shape[0] != 3:
            raise SuiteError(f"image '{entry.name}' of {dataset.name} is grayscale: {task.name} needs colour images.")
        shapes[entry.name], hashes[entry.name] = tuple(image.shape), entry.sha256()
    unmeasured = {name: reason for name in task.metrics if (reason := protocol.metric(name).unavailable()) is not None}
    metrics = tuple(name for name in task.metrics if name not in unmeasured)
    out = arguments.out or _default_out(task, dataset, arguments)
    job = Job(
        task=task.name,
        parameters=tuple(sorted(task.parameters.items())),
        dataset=arguments.dataset,
        split=arguments.split,
        seed=arguments.seed,
        protocol=arguments.protocol,
        metrics=metrics,
        device=device,
        out=out.resolve(),
        save_images=arguments.save_images,
        reliance=arguments.reliance,
        preview=_previews(shapes, len(rows)),
    )
    jobs = arguments.jobs or (environment.cores() if device == "cpu" else 1)
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
    return Plan(
        task, rows, reasons, dataset, arguments.split, entries, shapes, hashes, metrics, unmeasured, job, jobs, given
    )


def _previews(shapes: dict[str, tuple[int, ...]], rows: int) -> frozenset[str]:
    """The images of which PNGs are kept: the first, and as many more as there is room for."""
    pixels = accumulate(rows * math.prod(shape[-2:]) for shape in shapes.values())
    kept = [name for (place, name), sum_ in zip(enumerate(shapes), pixels, strict=True)
            if place < PREVIEWS or sum_ <= PREVIEW_PIXELS]  # fmt: skip
    return frozenset(kept)


def _default_out(task: Task, dataset: Dataset, arguments: argparse.Namespace) -> Path:
    parts = [task.name, *(str(v).replace(":", "-") for v in task.parameters.values())]
    parts.append(dataset.name.replace(":", "-"))
    if arguments.split != "test":
        parts.append(arguments.split)
    if arguments.protocol != "standard":
        parts.append(arguments.protocol)
    if arguments.seed:
        parts.append(f"seed{arguments.seed}")
    return RUNS / "-".join(parts)


def identity(plan: Plan) -> dict[str, Any]:
    """What two runs must share for their records to stand in one folder."""
    return {
        "version": VERSION,
        "task": plan.task.name,
        "parameters": dict(plan.job.parameters),
        "dataset": plan.dataset.name,
        "split": plan.split,
        "seed": plan.job.seed,
        "protocol": plan.job.protocol,
        "device": plan.job.device.split(":")[0],
    }


def _source_hash(row: Row) -> str:
    """Fingerprint of a method: its file and its parameters."""
    method = row.build()
    source = inspect.getsource(inspect.getmodule(type(method)))  # type: ignore[arg-type]
    return hashlib.sha256(f"{source}{method!r}".encode()).hexdigest()[:16]


def _weights(plan: Plan) -> dict[str, str]:
    """sha256 of every weight file that a row or a metric reads."""
    paths = {path for row in plan.rows for path in row.build().weights()}
    paths |= {path for name in plan.metrics for path in get_protocol(plan.job.protocol).metric(name).weights()}
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def facts(plan: Plan) -> dict[str, Any]:
    """The content of run.json before the work: arguments, versions, commit, hardware, seeds, hashes, counts."""
    return identity(plan) | {
        "label": plan.task.label,
        "status": "running",
        "arguments": plan.arguments,
        "metrics": list(plan.metrics),
        "signatures": {name: get_protocol(plan.job.protocol).metric(name).signature for name in plan.metrics},
        "not_measured": plan.unmeasured,
        "not_run": plan.reasons,
        "rows": {row.label: _source_hash(row) for row in plan.rows},
        "threads": THREADS,
        "jobs": plan.jobs,
        "commit": environment.commit(),
        "versions": environment.versions(),
        "hardware": environment.hardware(plan.job.device),
        "images": plan.hashes,
        "weights": _weights(plan),
        "counts": {"images": len(plan.entries), "asked": len(plan.entries) * len(plan.rows)},
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def read_run(out: Path) -> dict[str, Any]:
    """Read the run.json of a folder.

    Raises:
        SuiteError: there is none, it cannot be read, or it is of another version.
    """
    path = out / "run.json"
    try:
        run = json.loads(path.read_text())
    except FileNotFoundError:
        raise SuiteError(f"{out} is not the folder of a run: it has no run.json.") from None
    except (OSError, ValueError) as error:
        raise SuiteError(
            f"{path} cannot be read ({error}): start over with --fresh (the old files are kept)."
        ) from error
    if run.get("version") != VERSION:
        raise SuiteError(f"{path} is of version {run.get('version')}, this suite writes {VERSION}: use --fresh.")
    return run


def earlier_run(out: Path, plan: Plan) -> dict[str, Any] | None:
    """Return the facts of an earlier run in the folder, or None; refuse a run of something else."""
    if not (out / "run.json").exists():
        if (out / "records.csv").exists():
            raise SuiteError(f"{out} holds records but no run.json: choose another --out, or give --fresh.")
        return None
    old, new = read_run(out), identity(plan)
    differs = [f"{name} {old.get(name)!r} there, {new[name]!r} now" for name in new if old.get(name) != new[name]]
    differs += [f"image {name} has changed" for name, h in plan.hashes.items() if old["images"].get(name, h) != h]
    if differs:
        raise SuiteError(f"{out} holds another run ({differs[0]}): choose another --out, or give --fresh.")
    return old


def warn_of_changes(old: dict[str, Any], plan: Plan) -> None:
    """Say on stderr which records that are kept would come out differently if they were made today."""
    now = {row.label: _source_hash(row) for row in plan.rows}
    changed = [label for label, source in now.items() if old["rows"].get(label, source) != source]
    if changed:
        print(
            f"warning: {', '.join(changed)}: the method's file has changed since its records were made; they are kept. "
            "Give --fresh to measure again.",
            file=sys.stderr,
        )
    missing = [name for name in plan.metrics if name not in old["metrics"]]
    if missing:
        print(
            f"warning: {', '.join(missing)} could not be measured when the earlier records of this folder were made; "
            "those cells stay empty. Give --fresh to measure again.",
            file=sys.stderr,
        )


def merge(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """The facts of a folder to which a second run adds rows or images: the union, with the newest arguments.

    Fingerprints of what is there already stay, since its records do.
    """
    if old is None:
        return new
    merged = new | {name: old[name] | new[name] | old[name] for name in ("rows", "images", "weights")}
    merged["metrics"] = list(dict.fromkeys([*old["metrics"], *new["metrics"]]))
    merged["signatures"] = {**old["signatures"], **new["signatures"]}
    merged["counts"] = {"images": len(merged["images"]), "asked": len(merged["images"]) * len(merged["rows"])}
    merged["seconds"] = old.get("seconds", {})  # of the last run that had something to do
    merged["earlier"] = [*old.get("earlier", []), {k: old[k] for k in ("arguments", "commit", "versions", "began")}]
    return merged


def write_facts(out: Path, run_facts: dict[str, Any]) -> None:
    """Write run.json."""
    write_atomically(out / "run.json", (json.dumps(run_facts, indent=2, ensure_ascii=False) + "\n").encode())


def pending(plan: Plan, done: RecordFile) -> list[Item]:
    """The items that are still to be done, image by image.

    Batches are cut from the whole list of images, never from what is left of it, so that a resumed run forms the
    same batches as an undisturbed one. Errors are tried again.
    """
    store = Store(plan.job.out)
    by_shape: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for entry in plan.entries:
        by_shape[plan.shapes[entry.name]].append(entry.name)
    place = {entry.name: number for number, entry in enumerate(plan.entries)}
    items = []
    for row in plan.rows:
        size = row.build().batch_size
        for names in by_shape.values():
            for start in range(0, len(names), size):
                batch = tuple(names[start : start + size])
                if not all(_finished(done, store, plan.job, image, row.label) for image in batch):
                    items.append(Item(row, batch))
    return sorted(items, key=lambda item: (place[item.images[0]], item.images))


def _finished(done: RecordFile, store: Store, job: Job, image: str, label: str) -> bool:
    if not done.finished((image, label)):
        return False
    if job.reliance and not (done.records[image, label].phi_implied is not None and store.has_reliance(label, image)):
        return False
    return not job.save_images or (store.images / image / f"{label}.npz").exists()
