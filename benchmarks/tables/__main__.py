"""Print the table of a run from its records: `python -m benchmarks table DIR [--format md]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import console, guarded

FORMATS = ("terminal", "md", "tex", "csv")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m benchmarks table", description="Print the table of a run.")
    p.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folder of a run")
    p.add_argument("--format", choices=FORMATS, default="terminal", help="default: terminal")
    arguments = p.parse_args(argv)
    # Imported here: a question for --help does not wait for torch.
    from benchmarks.folder.run_folder import RunFolder
    from benchmarks.tables.escape import comma_separated
    from benchmarks.tables.render import to_latex, to_markdown, to_terminal
    from benchmarks.tables.summary import summarise

    for path in arguments.folders:
        folder = RunFolder(path)
        summary = summarise(folder.records, folder.facts, folder.pictures.features)
        if arguments.format == "terminal":
            console().print(to_terminal(summary))
            print("\n".join(summary.notes))
        elif arguments.format == "csv":
            print(comma_separated(summary.table), end="")
        else:
            print({"md": to_markdown, "tex": to_latex}[arguments.format](summary), end="")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
