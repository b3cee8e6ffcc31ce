"""The runner: `python -m benchmarks.run --task denoise --methods all`.

Every row restores the same degraded images; records are written as they are made, so a run that was killed goes on
where it was. Nothing heavy is imported before the command line has been read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.executors import local
from datasets.catalog import METHODS, METRICS, SETS, TASKS
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown
from datasets.spec import parse_list

ALL = "all"
RUNS = Path("results") / "runs"
OLD_TRUE = "@true-sigma"


def parser(prog: str = "python -m benchmarks.run") -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog=prog,
        description="Compare restoration methods on a task and a set of images.",
        epilog="What there is: python -m methods list; python -m methods show NAME; python -m datasets list. "
        "Methods, tasks, datasets and metrics take parameters in brackets: nlm[patch=5], wide=nlm[search=15].",
    )
    add_setting(p)
    p.add_argument("--methods", default=ALL, help="'all', or specs separated by commas (default: all)")
    p.add_argument("--metrics", help="specs of metrics, as in psnr,psnr[channel=y,crop=4] (default: the task's)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    p.add_argument("--jobs", type=int, help="worker processes on the CPU, one thread each (default: all cores); a GPU "
                   "has one process, beside which rows that know the CPU alone go on")  # fmt: skip
    p.add_argument("--engine", choices=tuple(local.ENGINES), default="local", help="local: processes of this machine; "
                   "dask: workers of dask.distributed, see docs/clusters.md (default: local)")  # fmt: skip
    p.add_argument("--scheduler", metavar="ADDRESS|FILE", help="dask: an existing cluster (default: one of this "
                   "machine, for this run)")  # fmt: skip
    p.add_argument("--wait", type=float, metavar="SECONDS", help="dask: how long to wait for a worker (default: 60)")
    p.add_argument("--protocol", default="standard", help="standard, or paper for BIGPrior's (default: standard)")
    p.add_argument("--out", type=Path, help="folder of the run, or of the runs if the command makes several (default: "
                   "results/runs/<task>-<dataset>-… in the current folder)")  # fmt: skip
    p.add_argument("--save-images", action="store_true", help="keep restorations, φ and g as arrays and PNGs")
    p.add_argument("--reliance", action="store_true", help="measure how much of every result is prior, and SURE, by 8 "
                   "more restorations per image")  # fmt: skip
    p.add_argument("--fresh", action="store_true", help="begin anew; an earlier run in --out is kept aside")
    p.add_argument("--refresh", action="append", default=[], metavar="ROW", help="measure this row again")
    p.add_argument("--keep", action="store_true", help="keep the records of rows whose code, parameters or files have "
                   "changed (by default they are measured again)")  # fmt: skip
    return p


def add_setting(p: argparse.ArgumentParser) -> None:
    """Add the options that say what is degraded, and how."""
    p.add_argument("--task", required=True, help="denoise, denoise[sigma=50], inpaint-center, colorize, …, or several "
                   "with commas (any other name lists all)")  # fmt: skip
    p.add_argument("--sigma", help="denoise: σ on the 0–255 scale (default 25), A:B for blind, drawn per image, or "
                   "several with commas, each makes a folder of its own")  # fmt: skip
    p.add_argument("--dataset", action="append", help="a named set, or a folder of images; may be given several times, "
                   "each makes a folder of its own (default: photos)")  # fmt: skip
    p.add_argument("--split", default="test", help="split of the set (default: test)")
    p.add_argument("--limit", type=int, help="only the first N images")
    p.add_argument("--seed", type=int, default=0, help="seed of noise and masks (default: 0)")
    p.add_argument("--strict", action="store_true", help="do nothing if an image cannot be read (by default it is "
                   "left out, named, and the status 1)")  # fmt: skip


def check_names(arguments: argparse.Namespace) -> None:
    """Say what is wrong with the names and numbers, before anything heavy is imported.

    Raises:
        SuiteError: a name that does not exist, a bracket that is not closed, or a number out of range.
    """
    for name in ("limit", "jobs"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise SuiteError(f"--{name} {value} is out of range: give 1 or more.")
    if arguments.seed < 0:
        raise SuiteError(f"--seed {arguments.seed} is out of range: give 0 or more.")
    if not TASKS.parse_list(arguments.task):
        raise SuiteError(f"--task is empty. Valid: {', '.join(TASKS.names())}.")
    if arguments.metrics is not None and not METRICS.parse_list(arguments.metrics):
        raise SuiteError(f"--metrics is empty. Valid: {', '.join(METRICS.names())}.")
    for spec in parse_list(arguments.methods, "methods") if arguments.methods != ALL else ():
        if spec.name.removesuffix(OLD_TRUE) not in METHODS.names():
            raise unknown("method", spec.name.removesuffix(OLD_TRUE), METHODS.names())
    for text in arguments.dataset or ():
        SETS.places(text)


def seems_finished(arguments: argparse.Namespace) -> bool:
    """Return whether there is a finished run of the task and the set that a command line names.

    Then most likely no worker is needed: their server is started when it is known that one is. Nothing that costs time
    is read, so either answer may be wrong.
    """
    if arguments.fresh or arguments.refresh:
        return False
    tasks = {str(spec) for spec in TASKS.parse_list(arguments.task)}
    sets = {str(spec) for text in arguments.dataset or ["photos"] for spec in SETS.places(text)}
    own = [] if arguments.out is None else [arguments.out / "run.json"]
    for path in [*own, *(arguments.out or RUNS).glob("*/run.json")]:
        try:
            facts = json.loads(path.read_bytes())
            given = facts["arguments"]
            same = given["dataset"] in sets and (arguments.sigma is not None or given["task"] in tasks)
            same = same and all(given[name] == getattr(arguments, name) for name in ("sigma", "split", "seed"))
            if same and facts["status"] == "finished":
                return True
        except (OSError, ValueError, LookupError, TypeError, RecursionError):  # said when the folder is read
            continue
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    began = time.monotonic()
    arguments = parser().parse_args(argv)
    check_names(arguments)
    if not seems_finished(arguments):
        local.start_server()
    # Imported only now: the workers' server imports torch meanwhile, on another core.
    from benchmarks.session import requests, run

    try:
        return max(run(request, began=began) for request in requests(arguments))
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            child.kill()  # not waiting for workers that are deep in compiled code
        raise


if __name__ == "__main__":
    sys.exit(guarded(main))
