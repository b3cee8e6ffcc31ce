"""Make the committed results again, or check that today's code still gives them: `python -m benchmarks regenerate`.

An ordinary call does what is missing of a folder; what is there is not measured again. `--tables` rewrites tables and
figures from the records, `--readme` the blocks of results alone. `--stamp` measures a sample of every row again and
marks the folder as one of today's code if all is equal to the last bit.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.executors import local
from benchmarks.regenerate import ROOT, arguments_of, committed, folders, listed, runs, there
from datasets.cli import guarded
from datasets.errors import SuiteError, unknown


def make(folder: str) -> int:
    """Do what is missing of a committed run or study. Returns the exit status."""
    os.chdir(ROOT)  # so that run.json holds a path that means the same in every clone
    if folder in runs():
        from benchmarks.session import requests, run

        return max(run(request) for request in requests(arguments_of(folder)))
    for command in listed().studies[folder]:
        print(command, flush=True)
        status = subprocess.run([sys.executable, *shlex.split(command)[1:]], check=False).returncode
        if status:
            return status
    return 0


def tabulate(folder: str) -> int:
    """Rewrite the tables and figures of a committed run from its records; nothing is restored. Returns 0.

    Raises:
        SuiteError: it has not been made.
    """
    from benchmarks.folder.run_folder import RunFolder
    from benchmarks.tables.outputs import write_reports

    run = RunFolder(committed(folder))
    write_reports(run, run.records, run.facts)
    return 0


def named(names: Sequence[str], valid: Sequence[str]) -> list[str]:
    """Return the folders that are named, each by itself or by a folder above it; without names, all.

    Raises:
        SuiteError: a name that is neither.
    """
    found: list[str] = [] if names else list(valid)
    for name in names:
        bare = name.removeprefix("results/").strip("/")
        inside = [folder for folder in valid if folder == bare or folder.startswith(f"{bare}/")]
        if not inside:
            raise unknown("committed folder", name, valid)
        found += inside
    return list(dict.fromkeys(found))


def each(chosen: Iterable[str], act: Callable[[str], int]) -> int:
    """Do the same to each folder; one where it cannot be done is named, and the others go on."""
    status = 0
    for folder in chosen:
        try:
            status = max(status, act(folder))
        except SuiteError as error:
            print(f"error: {folder}: {error}", file=sys.stderr)
            status = 2
    return status


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks regenerate", description="Make the committed results again, or check them."
    )
    p.add_argument(
        "folders", nargs="*", metavar="FOLDER",
        help="in results/, as in denoise/photos-sigma25, denoise or paper (default: every run)",
    )  # fmt: skip
    what = p.add_mutually_exclusive_group()
    what.add_argument("--tables", action="store_true", help="only rewrite tables, figures and the blocks of results")
    what.add_argument("--readme", action="store_true", help="only rewrite the blocks of results in README.md, docs/ …")
    what.add_argument(
        "--stamp", action="store_true",
        help="measure a sample of every row again; if it is equal to the records, mark them as those of today's code",
    )  # fmt: skip
    what.add_argument("--sample-to", type=Path, metavar="DIR", help="measure the sample of --stamp and keep it in DIR")
    p.add_argument("--sample", type=int, default=1, metavar="N", help="images of each row in a sample (default: 1)")
    p.add_argument(
        "--reference", type=Path, metavar="DIR",
        help="with --stamp: compare with what --sample-to wrote at the records' commit, not with the records; for a "
        "machine on which networks' last digits are others",
    )  # fmt: skip
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    arguments = parser().parse_args(argv)
    if arguments.sample < 1:
        raise SuiteError(f"--sample {arguments.sample} is out of range: give 1 or more.")
    if arguments.reference is not None and not arguments.reference.is_dir():
        raise SuiteError(f"--reference {arguments.reference} is no folder: write one with --sample-to.")
    if arguments.stamp or arguments.sample_to:
        chosen = named(arguments.folders, folders())
        local.start_server()
        from benchmarks.regenerate.stamp import stamp, write_sample

        if arguments.sample_to:
            return each(chosen, lambda folder: write_sample(folder, arguments.sample, arguments.sample_to))
        return each(chosen, lambda folder: stamp(folder, arguments.sample, arguments.reference))
    status = 0
    if arguments.tables:
        status = each(named(arguments.folders, there()), tabulate)
    elif not arguments.readme:
        chosen = named(arguments.folders, [*runs(), *listed().studies]) if arguments.folders else list(runs())
        local.start_server()
        status = each(chosen, make)
    from benchmarks.regenerate.blocks import rewrite_blocks

    rewrite_blocks()
    return status


if __name__ == "__main__":
    sys.exit(guarded(main))
