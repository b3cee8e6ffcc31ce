"""Read timings: `python -m benchmarks.timing compare BASELINE.json NEW.json` and `... table FILE.json`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing.compare import changes, load
from datasets.cli import console, guarded
from datasets.errors import SuiteError

TOLERANCE = 1.5
OUT = Path("results") / "timing"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.timing", description="Compare and tabulate timings.")
    verbs = p.add_subparsers(dest="verb", required=True)
    compare = verbs.add_parser("compare", help="fail if a case has become slower, the machines' speeds taken out")
    compare.add_argument("baseline", type=Path)
    compare.add_argument("new", type=Path)
    compare.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"this much is no change ({TOLERANCE})")
    table = verbs.add_parser("table", help="write timing.csv, timing.md and timing.png")
    table.add_argument("file", type=Path)
    table.add_argument("--out", type=Path, default=OUT, help=f"folder (default: {OUT})")
    return p


def compare(baseline: Path, new: Path, tolerance: float) -> int:
    """Print every case that changed by more than the tolerance. Returns 1 if one became slower, else 0.

    Raises:
        SuiteError: a file cannot be read, they have nothing in common, or the tolerance is not over 1.
    """
    from rich.table import Table

    if not tolerance > 1:
        raise SuiteError(f"--tolerance {tolerance:g} is out of range: give a factor over 1.")
    old, now = load(baseline), load(new)
    common = changes(old, now)
    slower = [change for change in common if change.factor > tolerance]
    faster = [change for change in common if change.factor < 1 / tolerance]
    table = Table("case", "baseline s", "now s", "times as long", title_justify="left", pad_edge=False)
    for change in [*slower, *faster]:
        verdict = "SLOWER" if change.factor > tolerance else "faster"
        table.add_row(
            change.name.replace("[", r"\["), f"{change.before.seconds:.3g}", f"{change.now.seconds:.3g}",
            f"{change.factor:.2f} {verdict}",
        )  # fmt: skip
    if slower or faster:
        console().print(table)
    for said, names in (
        ("in the baseline alone", old.cases.keys() - now.cases.keys()),
        ("not in the baseline", now.cases.keys() - old.cases.keys()),
    ):
        if names:
            print(f"{len(names)} case(s) {said}, for instance {min(names).partition('::')[2]}")
    print(
        f"{len(common)} cases compared, in units of the reference kernel: {len(slower)} slower, {len(faster)} faster "
        f"than {tolerance:g} times."
    )
    return 1 if slower else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    arguments = parser().parse_args(argv)
    if arguments.verb == "compare":
        return compare(arguments.baseline, arguments.new, arguments.tolerance)
    from benchmarks.timing.table import write  # only now: it takes long to load

    for path in write(load(arguments.file), arguments.out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
