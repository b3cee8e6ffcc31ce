"""Carry out the command: check what is asked, measure what is missing, write tables and figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.executors.clock import limit_threads
from benchmarks.reliance.drawing import theme, write
from benchmarks.rows import Row, select
from benchmarks.tables.escape import comma_separated
from benchmarks.trust.conformal import check_level
from benchmarks.trust.drawing import draw
from benchmarks.trust.measuring import measure_all
from benchmarks.trust.photograph import draw_invented
from benchmarks.trust.study import TABLES, Study, read
from benchmarks.trust.summary import text
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.spec import parse_list
from datasets.task import get_task


def study_of(arguments: argparse.Namespace) -> Study:
    """Return what the command line asks.

    Raises:
        SuiteError: an unknown name, a row that cannot run on the task, or a value out of range.
    """
    check_level(arguments.alpha)
    if not 0 <= arguments.share < 1:
        raise SuiteError(f"--share {arguments.share:g} is out of range: give a share from 0 to under 1.")
    if not arguments.epsilon > 0:
        raise SuiteError(f"--epsilon {arguments.epsilon:g} is out of range: give an error over 0, on the 0–255 scale.")
    task = get_task(arguments.task)
    few = _rows(arguments.few, arguments.task) if arguments.few else ()
    slow = {row.label for row in few}
    rows = tuple(row for row in _rows(arguments.methods, arguments.task) if row.label not in slow)
    shifts = tuple(str(spec) for spec in parse_list(arguments.shift, "tasks")) if arguments.shift else ()
    for shift in shifts:
        if get_task(shift).problem != task.problem:
            raise SuiteError(f"--shift {shift} is another problem than {arguments.task}: give other parameters of it.")
    sets = tuple(str(spec) for spec in parse_list(arguments.dataset, "datasets"))
    return Study(arguments.task, sets, rows, arguments.maps, arguments.limit, arguments.validation, few,
                  arguments.few_images, arguments.few_validation, arguments.crop, shifts, arguments.alpha,
                  arguments.epsilon, arguments.share, arguments.keep)  # fmt: skip


def _rows(methods: str, task: str) -> tuple[Row, ...]:
    rows, _ = select(get_task(task), methods)
    return tuple(rows)


def carry_out(arguments: argparse.Namespace) -> list[Path]:
    """Measure, analyse and write; return the files.

    Raises:
        SuiteError: see `study_of`, `Study.jobs` and `benchmarks.trust.study.read`.
    """
    study = study_of(arguments)
    jobs = study.jobs()
    limit_threads()
    for done in measure_all(jobs, min(arguments.jobs, max(1, len(jobs)))):
        if done % 20 == 0 or done == len(jobs):
            print(f"{done} of {len(jobs)} images", file=sys.stderr, flush=True)
    rows = read(study)
    tables = {name: make(study, rows) for name, make in TABLES.items()}
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables.items():
        if len(table):
            write_atomically(out / f"{name}.csv", comma_separated(table, "%.5g").encode())
            written.append(out / f"{name}.csv")
    summary = text(study, tables)
    write_atomically(out / "summary.txt", summary.encode())
    print(summary)
    theme()
    write(out / "trust.png", draw(study, tables))
    written += [out / "summary.txt", out / "trust.png"]
    figure = draw_invented(get_task(study.task), study.every_row())
    if figure is not None:
        write(out / "invented.png", figure)
        written.append(out / "invented.png")
    return written
