"""Write the reliance analyses of runs: `python -m benchmarks.reliance DIR [DIR …]`.

    phi-sigma, phi-prior        φ against σ, and against the prior's quality: r and ρ with intervals
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
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.reliance.agreement import declared_implied, reliance_maps
from benchmarks.reliance.calibration import calibration
from benchmarks.reliance.correlation import phi_against_prior, phi_against_sigma
from benchmarks.reliance.coverage import risk_coverage
from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import theme, write
from benchmarks.reliance.holes import holes
from benchmarks.reliance.oracle import oracle_phi
from benchmarks.reliance.outside import outside
from benchmarks.reliance.shift import shift
from benchmarks.reliance.stein import stein
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.files import write_atomically

FOLDER = "analyses"
Analysis = Callable[[Runs], tuple[pd.DataFrame, Callable[[], Figure]]]
"""Returns the table and what draws it.

Raises:
    Missing: the runs have not what it needs.
"""

ANALYSES: dict[str, Analysis] = {
    "phi-sigma": phi_against_sigma,
    "phi-prior": phi_against_prior,
    "oracle": oracle_phi,
    "calibration": calibration,
    "risk-coverage": risk_coverage,
    "holes": holes,
    "shift": shift,
    "outside": outside,
    "declared-implied": declared_implied,
    "maps": reliance_maps,
    "sure": stein,
}


def analyse(folders: Sequence[Path], out: Path) -> tuple[list[Path], dict[str, str]]:
    """Write every analysis that the runs allow; return the files, and for each other analysis what is missing.

    Raises:
        SuiteError: a folder is no run, of another version or without records; nothing can be written.
    """
    runs = Runs.read(folders)
    for note in runs.notes:
        print(f"note: {note}", file=sys.stderr)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SuiteError(f"cannot write to {out}: {error.strerror}.") from error
    theme()
    written, missing = [], {}
    for name, analysis in ANALYSES.items():
        try:
            table, draw = analysis(runs)
        except Missing as reason:
            missing[name] = str(reason)
            continue
        write_atomically(out / f"{name}.csv", table.to_csv(index=False, float_format="%.6g").encode())
        write(out / f"{name}.png", draw())
        written += [out / f"{name}.csv", out / f"{name}.png"]
    return written, missing


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.reliance", description="Write the reliance analyses of runs."
    )
    p.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folder of a run made with --reliance")
    p.add_argument("--out", type=Path, help=f"where to write (default: {FOLDER} in the first folder)")
    arguments = p.parse_args(argv)
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
