"""Carry out a run: do what is pending, record it as it is made, and write tables and figures."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.text import Text

from benchmarks.executors.lanes import ExecutorFactory, LocalEngine, engine
from benchmarks.executors.local import start_server
from benchmarks.executors.progress import Live
from benchmarks.folder.facts import Facts
from benchmarks.folder.records import RecordFile
from benchmarks.folder.resume import earlier_run, forget_stale, merge
from benchmarks.folder.run_folder import RunFolder
from benchmarks.plan import Plan, Request, complete, known_images, look, make_plan, pending
from benchmarks.queue import carry_out
from benchmarks.run import RUNS
from benchmarks.tables.kept import keep, kept
from benchmarks.tables.outputs import write_reports
from benchmarks.tables.terminal import show
from benchmarks.trial import Outcome
from datasets.catalog import SETS, TASKS
from datasets.cli import console
from datasets.dataset import Dataset
from datasets.errors import SuiteError
from datasets.spec import Spec, parameters
from datasets.task import Task


def requests(arguments: argparse.Namespace) -> list[Request]:
    """Return one request for every setting that a command line asks for.

    Raises:
        SuiteError: an unknown name or a wrong parameter.
    """
    tasks = [made for spec in TASKS.parse_list(arguments.task) for made in _at_levels(spec, arguments.sigma)]
    sets = [spec for text in arguments.dataset or ["photos"] for spec in SETS.places(text)]
    workplace = engine(arguments.engine, arguments.scheduler, arguments.wait)
    device = workplace.device(arguments.device)
    several = len(tasks) * len(sets) > 1
    given = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
    shared = ("methods", "metrics", "split", "limit", "seed", "jobs", "protocol", "save_images", "reliance", "fresh",
              "keep", "strict")  # fmt: skip
    made = []
    for task_spec in tasks:
        for set_spec in sets:
            task, dataset = TASKS.build(task_spec), SETS.build(set_spec)
            if set_spec.name in SETS.names() and Path(set_spec.name).is_dir() and not set_spec.given:
                note = f"note: '{set_spec.name}' is the set of that name; for the folder here give ./{set_spec.name}."
                print(note, file=sys.stderr)
            name = _folder_name(task_spec, task, set_spec, dataset, arguments)
            out = RUNS / name if arguments.out is None else arguments.out / name if several else arguments.out
            known = {"task": str(task_spec), "dataset": str(set_spec), "out": str(out)}
            made.append(Request(task, dataset, out.resolve(), device=device, refresh=tuple(arguments.refresh),
                                engine=workplace, arguments=given | known,
                                **{n: getattr(arguments, n) for n in shared}))  # fmt: skip
    for request in made:
        if [other.out for other in made].count(request.out) > 1:
            raise SuiteError(f"two settings of this command would share {request.out}: name one, as in a=denoise.")
    return made


def _at_levels(spec: Spec, sigma: str | None) -> list[Spec]:
    """The spec of a task at each σ of --sigma, if that was given."""
    if sigma is None:
        return [spec]
    task = TASKS.get(TASKS.resolve(spec).name)
    if "sigma" not in parameters(task):
        raise SuiteError(f"--sigma belongs to denoise; {task.name} adds no noise.")
    levels = [level.strip() for level in sigma.split(",") if level.strip()]
    if not levels:
        raise SuiteError("--sigma is empty: give one number from 0 to 255 (25), or two integers A:B (5:50).")
    return [Spec(spec.name, (*spec.take("sigma")[1].given, ("sigma", level)), spec.alias) for level in levels]


def _folder_name(task_spec: Spec, task: Task, set_spec: Spec, dataset: Dataset, arguments: argparse.Namespace) -> str:
    values = [str(value).replace(":", "-").replace("/", "-") for value in task.parameters.values()]
    parts = [task_spec.alias] if task_spec.alias else [task.name, *values]
    parts.append(set_spec.alias or dataset.folder_name)
    if arguments.split != "test":
        parts.append(arguments.split)
    if arguments.protocol != "standard":
        parts.append(arguments.protocol)
    if arguments.seed:
        parts.append(f"seed{arguments.seed}")
    return "-".join(parts)


def _announce(plan: Plan, todo: int) -> None:
    request, images, rows = plan.request, len(plan.entries), len(plan.rows)
    total = images * rows
    print(f"{plan.setting.label}: {images} images × {rows} rows")
    for line in not_run(plan.facts.not_run):
        console().print(Padding(Text(line), (0, 0, 0, 2), expand=False))
    for name, reason in plan.facts.not_measured.items():
        print(f"  not measured: {name}: {reason}")
    for reason in plan.unread.values():
        print(f"  left out: {reason}")
    if request.dataset.left_out:
        print(f"  left out: {request.dataset.left_out}")
    for row in plan.rows:
        for remark in plan.facts.rows[row.label].remarks:
            print(f"  {row.label}: {remark}")
    if todo < total:
        print(f"  {total - todo} of {total} results are already in {request.out}; {todo} to do.")


def not_run(reasons: Mapping[str, str]) -> list[str]:
    """Say what cannot run, in one sentence for all rows that one remedy would help.

    Args:
        reasons: row → what is wrong and, after a colon, what to do.
    """
    grouped: dict[str, list[str]] = {}
    for row, reason in reasons.items():
        grouped.setdefault(reason.partition(": ")[2] or reason, []).append(row)
    return [
        f"not run: {rows[0]}: {reasons[rows[0]]}." if len(rows) == 1
        else f"not run: {len(rows)} rows ({', '.join(rows)}): {remedy}."
        for remedy, rows in grouped.items()
    ]  # fmt: skip


def _say_unmeasured(outcome: Outcome, records: RecordFile) -> None:
    """Say on stderr why a record that stays could not be given what was to be added to it."""
    for record in outcome.records:
        if record.error and record.key in records.records and not records.records[record.key].error:
            print(f"warning: {record.method} on {record.image}: {record.error}", file=sys.stderr)


def run(request: Request, make_executor: ExecutorFactory | None = None, began: float | None = None) -> int:
    """Carry out a benchmark run and write its folder. Returns the exit status: 0, or 1 if a restoration failed.

    Args:
        request: what is asked for.
        make_executor: makes the `concurrent.futures` executor for a number of jobs, in the place of the engine's.
        began: `time.monotonic()` when the command began, if that was before this call.
    """
    began = time.monotonic() if began is None else began
    folder = RunFolder(request.out)
    plan = make_plan(request, known_images(request, folder))
    with folder.locked():
        if request.fresh:
            folder.set_aside()
        old = earlier_run(folder, plan.facts)
        task = plan.setting.task
        records = folder.record_file((*([task.level] if task.level else []), *plan.scores))
        done = complete(plan, old, records, folder)
        if not done:
            if make_executor is None:
                start_server()
            plan = look(plan)
        if old is not None:
            old = forget_stale(folder, old, plan.facts, records, request.refresh, request.keep)
        trials = [] if done else pending(plan, records, folder)
        # With nothing to do the facts stay: they say how the records came about, and no record is new.
        settled = old is not None and old.status == "finished" and not trials
        facts = old if old is not None and settled else merge(old, plan.facts)
        todo = sum(len(trial.images) for trial in trials)
        _announce(plan, todo)
        workplace = request.engine if make_executor is None else LocalEngine(make_executor)
        spent = {"restore": 0.0, "score": 0.0, "work": 0.0}
        loop = time.monotonic()
        doubts: dict[str, str] = {}
        with workplace.crew(plan.bench, trials, request.jobs) as crew, Live(max(1, todo)) as live, records.synced():
            jobs, hardware = (crew.workers, crew.hardware) if old is None or trials else (old.jobs, old.hardware)
            facts = replace(facts, jobs=jobs, hardware=hardware)
            folder.write_facts(facts)
            for outcome in carry_out(crew, plan.bench, trials):
                _say_unmeasured(outcome, records)
                if outcome.doubt and outcome.row not in doubts:
                    doubts[outcome.row] = f"warning: {outcome.row} on {outcome.images[0]}: {outcome.doubt}."
                records.append(filter(None, map(records.news, outcome.records)))
                spent["restore"] += outcome.restore_seconds
                spent["score"] += outcome.score_seconds
                spent["work"] += outcome.total_seconds
                live.show(outcome)
        loop_seconds = time.monotonic() - loop
        order = _order(request, facts, records)
        if not records.in_order(order):
            records.rewrite(order)
            records.sync()
        if not settled:
            facts = replace(facts, **_ending(facts, records))
        summary = kept(folder, facts) if settled else None
        if summary is None:
            summary = write_reports(folder, records.frame(), facts)
            keep(folder, summary, facts)
        if trials:
            facts = replace(facts, seconds=_seconds(spent, jobs, loop_seconds, time.monotonic() - began))
        folder.write_facts(facts)
    show(summary)
    for doubt in doubts.values():
        print(doubt, file=sys.stderr)
    if plan.unread:
        left = f"{len(plan.unread)} image(s) were left out: {', '.join(plan.unread)}"
        print(f"{left}. The reasons stand above; with --strict nothing is run.", file=sys.stderr)
    print(f"Tables, figures and records: {request.out}")
    return 1 if facts.counts.errors or plan.unread else 0


def _order(request: Request, facts: Facts, records: RecordFile) -> dict[tuple[str, str], int]:
    """The place of every record: by image, and within an image by row."""
    places = {entry.name: place for place, entry in enumerate(request.dataset.entries(request.split))}
    rows = {label: place for place, label in enumerate(facts.rows)}
    return {key: places.get(key[0], 0) * len(rows) + rows.get(key[1], 0) for key in records.records}


def _seconds(spent: dict[str, float], jobs: int, loop: float, total: float) -> dict[str, float]:
    """Where the time of a run went, in seconds.

    restore, score, work: summed over the workers (work: all they did, loading and degrading included); loop: wall time
    from the first trial to the last, start of the workers included; total: wall time of the run, figures included;
    outside: the share of the workers' wall time that was neither restoring nor scoring, over loop and over total.
    """
    useful = (spent["restore"] + spent["score"]) / jobs
    shares = {"outside_of_loop": 1 - useful / loop, "outside_of_total": 1 - useful / total}
    return {name: round(value, 4) for name, value in {**spent, "loop": loop, "total": total, **shares}.items()}


def _ending(facts: Facts, records: RecordFile) -> dict[str, Any]:
    """The facts that are known at the end: when it was, and how many of the results that were asked for are there."""
    done = sum(not record.error for record in records.records.values())
    hosts = [f"{host or 'the machine of the command'} ({count} results)" for host, count in records.hosts().items()]
    return {
        "hardware": {**facts.hardware, **({"hosts": ", ".join(hosts)} if hosts else {})},
        "status": "finished",
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": replace(facts.counts, done=done, errors=len(records.records) - done),
    }
