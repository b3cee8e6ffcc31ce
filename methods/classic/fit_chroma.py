"""Fit the chroma tables of the colorization methods: `python -m methods.classic.fit_chroma`."""

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
        prog="python -m methods.classic.fit_chroma",
        description="Fit the chroma tables of the colorization methods to the training splits of LSUN.",
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: that of the methods' tables)")
    out = p.parse_args(argv).out
    if out is not None and not out.is_dir():
        raise SuiteError(f"--out {out} is no folder.")
    from methods.classic._chroma_tables import write_tables  # only now: it takes seconds to load
    from methods.classic._colorization import TABLES

    write_tables(out or TABLES)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
