"""Every analysis, and how they are written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.reliance.agreement import declared_implied, reliance_maps
from benchmarks.reliance.calibration import calibration
from benchmarks.reliance.correlation import phi_against_level, phi_against_prior
from benchmarks.reliance.coverage import risk_coverage
from benchmarks.reliance.data import Missing, Runs
from benchmarks.reliance.drawing import theme, write
from benchmarks.reliance.holes import holes
from benchmarks.reliance.oracle import oracle_phi
from benchmarks.reliance.outside import outside
from benchmarks.reliance.shift import shift
from benchmarks.reliance.stein import stein
from benchmarks.tables.escape import comma_separated
from datasets.errors import SuiteError
from datasets.files import StorageError, write_atomically

Analysis = Callable[[Runs], tuple[pd.DataFrame, Callable[[], Figure]]]
"""Returns the table and what draws it.

Raises:
    Missing: the runs have not what it needs.
"""

ANALYSES: dict[str, Analysis] = {
    "phi-sigma": phi_against_level,
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
    if out.is_symlink():
        raise SuiteError(f"{out} is a link, and what it points to would be written over: give another --out.")
    runs = Runs.read(folders)
    for note in runs.notes:
        print(f"note: {note}", file=sys.stderr)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write to {out}: {error.strerror}.") from error
    theme()
    written, missing = [], {}
    for name, analysis in ANALYSES.items():
        try:
            table, draw = analysis(runs)
        except Missing as reason:
            missing[name] = str(reason)
            continue
        write_atomically(out / f"{name}.csv", comma_separated(table, "%.6g").encode())
        write(out / f"{name}.png", draw())
        written += [out / f"{name}.csv", out / f"{name}.png"]
    return written, missing
