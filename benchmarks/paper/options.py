"""Options that the study's commands share. Nothing heavy is imported, so that a command line is read at once."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

OUT = Path("results") / "runs" / "paper"
"""Where a study is written unless it is said otherwise, in the current folder."""


def add_places(p: ArgumentParser) -> None:
    """Add where is read and where is written: --inputs, --out and --write-committed."""
    p.add_argument("--inputs", type=Path, metavar="DIR", help="what is stored, which is read and never changed "
                   "(default: the committed results/paper)")  # fmt: skip
    add_out(p)


def add_out(p: ArgumentParser) -> None:
    """Add where is written: --out or --write-committed."""
    where = p.add_mutually_exclusive_group()
    where.add_argument("--out", type=Path, metavar="DIR", help=f"folder that is written (default: {OUT})")
    where.add_argument("--write-committed", action="store_true", help="write into the committed folders instead")
