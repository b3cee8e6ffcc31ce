"""Print the table of runs from their records: `python -m benchmarks table DIR [--format md] [--layout paper]`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError

FORMATS = ("terminal", "md", "tex", "csv")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks table", description="Print the table of runs.")
    p.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folder of a run, or of several runs")
    p.add_argument("--format", choices=FORMATS, default="terminal", help="default: terminal")
    p.add_argument("--layout", choices=("run", "paper"), default="run",
                   help="run: all columns of each run; paper: one table of methods × (set, level)")  # fmt: skip
    p.add_argument("--rows", help="paper: rows to show, in this order, separated by commas (default: all, best first)")
    p.add_argument("--metrics", help="paper: metrics to show, separated by commas (default: the first of the run)")
    p.add_argument("--against", metavar="RESULTS",
                   help="add the rows that a folder of runs has of the same setting and images; `committed` is the "
                   "results of this repository")  # fmt: skip
    p.add_argument("--explain", action="store_true", help="terminal: every note, and not only what is odd")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    arguments = parser().parse_args(argv)
    paper = arguments.layout == "paper"
    for name in ("rows", "metrics"):
        if getattr(arguments, name) is not None and not paper:
            raise SuiteError(f"--{name} belongs to --layout paper: add that.")
    # Imported here: a question for --help does not wait for torch.
    from benchmarks.folder.run_folder import RunFolder
    from benchmarks.tables import paper_layout, render, terminal
    from benchmarks.tables.against import NothingBeside, beside, results_folder
    from benchmarks.tables.escape import comma_separated
    from benchmarks.tables.summary import summarise
    from datasets.spec import parse_list

    runs, alone = [], []
    for folder in map(RunFolder, run_folders(arguments.folders)):
        records, facts = folder.records, folder.facts
        if arguments.against is not None:
            try:
                records, facts = beside(folder, results_folder(arguments.against))
            except NothingBeside as nothing:
                alone.append(nothing)
        runs.append((facts, summarise(records, facts, folder.pictures.features)))
    if alone and len(alone) == len(runs):
        raise alone[0]
    for reason in alone:
        print(f"note: {reason}", file=sys.stderr)
    if paper:
        asked = {name: [str(spec) for spec in parse_list(text, name)] if text else []
                 for name, text in (("rows", arguments.rows), ("metrics", arguments.metrics))}  # fmt: skip
        table = paper_layout.lay_out(runs, asked["rows"], asked["metrics"])
        writers = {"md": paper_layout.to_markdown, "tex": paper_layout.to_latex, "csv": paper_layout.to_csv}
        if arguments.format == "terminal":
            paper_layout.show(table)
        else:
            print(writers[arguments.format](table), end="")
        return 0
    for _, summary in runs:
        if arguments.format == "terminal":
            terminal.show(summary, arguments.explain)
        elif arguments.format == "csv":
            print(comma_separated(summary.table), end="")
        else:
            print({"md": render.to_markdown, "tex": render.to_latex}[arguments.format](summary), end="")
    return 0


def run_folders(paths: Sequence[Path]) -> list[Path]:
    """Return the folders of runs that are named; for a folder that is none, the runs in it, numbers in their order."""
    found: list[Path] = []
    for path in paths:
        inner = [] if (path / "run.json").exists() else [child.parent for child in path.glob("*/run.json")]
        found += sorted(inner, key=lambda folder: _natural(folder.name)) or [path]
    return found


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which `sigma5` is before `sigma15`."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


if __name__ == "__main__":
    sys.exit(guarded(main))
