"""Timings: `python -m benchmarks time compare BASELINE.json NEW.json`, `… table FILE.json`, and `… peers`.

`peers` races rows and metrics with other people's code for the same thing (`benchmarks/timing/peers/`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing.compare import changes, load
from datasets.cli import console, guarded
from datasets.errors import SuiteError

TOLERANCE = 1.5
ROUNDS = 7
"""Of a race."""
OUT = Path("results") / "timing"
PEERS = OUT / "peers"


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
    peers = verbs.add_parser("peers", help="race rows and metrics with other code for the same thing")
    peers.add_argument("--only", default="", metavar="NAMES", help="races, with commas (default: all)")
    peers.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each pair at most, slow ones less ({ROUNDS})")
    peers.add_argument("--tables", action="store_true", help="measure nothing: the table and figure of what is there")
    peers.add_argument("--out", type=Path, default=PEERS, help=f"folder (default: {PEERS})")
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


def race(arguments: argparse.Namespace) -> int:
    """Race, and write the table and the figure. Returns 0.

    Raises:
        SuiteError: a race is unknown, the rounds are no number over 0, or the folder cannot be read or written.
    """
    if arguments.rounds < 1:
        raise SuiteError(f"--rounds {arguments.rounds} is out of range: give 1 or more.")
    from benchmarks.timing.peers.alone import alone

    with alone():
        from benchmarks.timing.peers import outputs
        from benchmarks.timing.peers.found import chosen
        from benchmarks.timing.peers.runner import run

        if not arguments.tables:
            names = [name.strip() for name in arguments.only.split(",") if name.strip()]
            races, here = chosen(names), outputs.Facts.here()
            beside = arguments.out if names else None
            if beside is not None:
                outputs.check_same(beside, here)
            for raced in run(races, arguments.rounds):
                outputs.save(*outputs.collected(raced, here, beside), arguments.out)
        for path in outputs.write(arguments.out):
            print(path)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    arguments = parser().parse_args(argv)
    if arguments.verb == "compare":
        return compare(arguments.baseline, arguments.new, arguments.tolerance)
    if arguments.verb == "peers":
        return race(arguments)
    from benchmarks.timing.table import write  # only now: it takes long to load

    for path in write(load(arguments.file), arguments.out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
