"""Fit the tables of the row `anchored-regression`: `python -m methods.classic.fit_anchored`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m methods.classic.fit_anchored",
        description="Fit the tables of anchored-regression to the training images of cbsd432.",
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: that of the methods' tables)")
    out = p.parse_args(argv).out
    if out is not None and not out.is_dir():
        raise SuiteError(f"--out {out} is no folder.")
    from methods.classic._fit_anchored import write_table  # only now: it takes seconds to load
    from methods.classic.anchored_regression import TABLE

    write_table(out or TABLE.parent)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
