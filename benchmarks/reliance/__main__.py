"""Write the reliance analyses of runs: `python -m benchmarks.reliance DIR [DIR …]`.

    phi-sigma, phi-prior        φ against the level (σ), and against the prior's quality: r and ρ with intervals
    oracle                      φ against the φ* that minimises the error
    calibration, risk-coverage  does a higher φ mean a larger error; what giving up such blocks gains (AUSE)
    holes                       φ inside and outside holes
    shift                       φ of the same method in several runs
    outside                     share of φ outside [0,1]
    declared-implied, maps      the declared φ against the implied one
    sure                        Stein's estimate against the true error

Each is NAME.csv and NAME.png, a function of the records and of the maps that `--reliance` kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError

FOLDER = "analyses"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.reliance", description="Write the reliance analyses of runs."
    )
    p.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folder of a run made with --reliance")
    p.add_argument("--out", type=Path, help=f"where to write (default: {FOLDER} in the first folder)")
    arguments = p.parse_args(argv)
    from benchmarks.reliance.analyses import analyse  # only now: drawing libraries take seconds to load

    written, missing = analyse(arguments.folders, arguments.out or arguments.folders[0] / FOLDER)
    for path in written:
        print(path)
    for name, reason in missing.items():
        print(f"not written: {name}: {reason}.")
    if not written:
        raise SuiteError("none of the analyses can be made of these records: see the reasons above.")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
