"""Carry out a run: do what is pending, record it as it is made, and write the reports."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.engine import ExecutorFactory, execute
from benchmarks.outputs import write_reports
from benchmarks.plan import Plan, earlier_run, facts, make_plan, merge, pending, warn_of_changes, write_facts
from benchmarks.processes import local_processes
from benchmarks.records import RecordFile
from benchmarks.summary import to_terminal
from benchmarks.worker import Outcome
from datasets.cli import console
from datasets.errors import SuiteError
from datasets.files import KEPT


def _keep_aside(out: Path) -> None:
    """Move an earlier run's files into a subfolder; nothing is ever deleted."""
    old = [path for path in out.iterdir() if not path.name.startswith(("previous-", ".lock"))] if out.exists() else []
    if old:
        aside = out / f"previous-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        try:
            aside.mkdir()
            for path in old:
                shutil.move(path, aside / path.name)
        except OSError as error:
            raise SuiteError(f"cannot set the earlier run in {out} aside: {error.strerror}.") from error
        print(f"The earlier run is kept in {aside}.", file=sys.stderr)


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder: two runs must not write into one."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise SuiteError(f"another run is writing to {out}: wait for it, or choose another --out.") from None
    except OSError as error:
        raise SuiteError(f"cannot write to {out}: {error.strerror}. {KEPT}") from error
    try:
        yield
    finally:
        lock.release()


class _Live:
    """Progress: a live bar with the time left in a terminal, a line every tenth of the work elsewhere."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.errors = total, 0, 0
        self.began = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console(),
            disable=not sys.stdout.isatty(),
            transient=True,
        )
        self.task = self.bar.add_task("restoring", total=total)

    def __enter__(self) -> _Live:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, outcome: Outcome) -> None:
        """Count an outcome."""
        before, self.done = self.done, self.done + len(outcome.records)
        self.errors += sum(bool(record.error) for record in outcome.records)
        failed = f", {self.errors} failed" if self.errors else ""
        last = f"{outcome.item.row.label} on {outcome.item.images[0]}"
        self.bar.update(self.task, completed=self.done, description=f"{last[:44]:44}{failed}")
        if self.bar.disable and self.done * 10 // self.total > before * 10 // self.total:
            left = (time.monotonic() - self.began) * (self.total - self.done) / self.done
            print(f"{self.done}/{self.total} restored{failed}, about {left:.0f} s left", flush=True)


def _say_unmeasured(outcome: Outcome, records: RecordFile) -> None:
    """Say on stderr why a record that stays could not be given its reliance."""
    for record in outcome.records:
        if record.error and records.finished(record.key):
            print(f"warning: reliance of {record.method} on {record.image}: {record.error}", file=sys.stderr)


def _announce(plan: Plan, out: Path, todo: int, total: int) -> None:
    images, rows = len(plan.entries), len(plan.rows)
    print(f"{plan.task.label} on {plan.dataset.name} ({plan.split}): {images} images × {rows} rows")
    for name, reason in plan.reasons.items():
        print(f"  not run: {name}: {reason}")
    for name, reason in plan.unmeasured.items():
        print(f"  not measured: {name}: {reason}")
    if todo < total:
        print(f"  {total - todo} of {total} results are already in {out}; {todo} to do.")


def run(
    arguments: argparse.Namespace, make_executor: ExecutorFactory = local_processes, began: float | None = None
) -> int:
    """Carry out a benchmark run and write its folder. Returns the exit status: 0, or 1 if a restoration failed.

    Args:
        arguments: the parsed command line.
        make_executor: makes the `concurrent.futures` executor for a number of jobs.
        began: `time.monotonic()` when the command began, if that was before this call.
    """
    began = time.monotonic() if began is None else began
    p = make_plan(arguments)
    out = p.job.out
    with _locked(out):
        if arguments.fresh:
            _keep_aside(out)
        old = earlier_run(out, p)
        if old is not None:
            warn_of_changes(old, p)
        records = RecordFile(out / "records.csv").load()
        items = pending(p, records)
        # With nothing to do the facts stay: they say how the records came about, and no record is new.
        settled = old is not None and old["status"] == "finished" and not items
        run_facts = old if old is not None and settled else merge(old, facts(p))
        _announce(p, out, sum(len(i.images) for i in items), len(p.entries) * len(p.rows))
        write_facts(out, run_facts)
        spent = {"restore": 0.0, "score": 0.0, "work": 0.0}
        loop = time.monotonic()
        with _Live(max(1, sum(len(item.images) for item in items))) as live:
            for outcome in execute(p.job, items, p.jobs, make_executor) if items else ():
                _say_unmeasured(outcome, records)
                records.append(filter(None, map(records.news, outcome.records)))
                spent["restore"] += outcome.restore_seconds
                spent["score"] += outcome.score_seconds
                spent["work"] += outcome.total_seconds
                live.show(outcome)
        loop_seconds = time.monotonic() - loop
        places = {e.name: i for i, e in enumerate(p.dataset.entries(p.split))}
        rows = {label: i for i, label in enumerate(run_facts["rows"])}
        order = {key: places.get(key[0], 0) * len(rows) + rows.get(key[1], 0) for key in records.records}
        if items:
            records.rewrite(order)
        if not settled:
            run_facts |= _ending(run_facts["counts"], records)
        summary = write_reports(out, records.frame(), run_facts)
        if items:
            run_facts["seconds"] = _seconds(spent, p.jobs, loop_seconds, time.monotonic() - began)
        write_facts(out, run_facts)
    console().print(to_terminal(summary))
    for note in summary.notes:
        print(note)
    print(f"Tables, figures and records: {out}")
    return 1 if run_facts["counts"]["errors"] else 0


def _seconds(spent: dict[str, float], jobs: int, loop: float, total: float) -> dict[str, float]:
    """Where the time of a run went, in seconds.

    restore, score, work: summed over the workers (work: all they did, loading and degrading included); loop: wall time
    from the first item to the last, start of the workers included; total: wall time of the run, figures included;
    outside: the share of the workers' wall time that was neither restoring nor scoring, over loop and over total.
    """
    useful = (spent["restore"] + spent["score"]) / jobs
    shares = {"outside_of_loop": 1 - useful / loop, "outside_of_total": 1 - useful / total}
    return {name: round(value, 4) for name, value in {**spent, "loop": loop, "total": total, **shares}.items()}


def _ending(asked: dict[str, int], records: RecordFile) -> dict[str, Any]:
    """The facts that are known at the end: when it was, and how many of the results that were asked for are there."""
    done = sum(not record.error for record in records.records.values())
    return {
        "status": "finished",
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": asked | {"done": done, "errors": len(records.records) - done},
    }
