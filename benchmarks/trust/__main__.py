"""How far to trust the rows of a task: `python -m benchmarks trust --task TASK --dataset A,B --methods … --out DIR`.

    predictors.csv      rank correlation, AURC and AUSE of whatever warns of error
    risk-coverage.csv   the curves
    variance*.csv       calibration of the variance over draws
    masks.csv           split-conformal masks: what was promised and what was kept, under shift too
    invented.csv        the range–null split and the published measures of hallucination
    summary.txt         all of it in 80 columns
    trust.png           the figure; invented.png: the maps of one photograph

What was measured is kept under --maps; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError

MAPS = Path("results/runs/trust")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks trust", description="Say how far to trust the rows of a task."
    )
    p.add_argument("--task", required=True, help="a task with its parameters")
    p.add_argument("--dataset", default="lsun-bedroom,lsun-church,lsun-conference", help="sets with training splits, "
                   "whose last images calibrate (default: the three of LSUN)")  # fmt: skip
    p.add_argument("--methods", required=True, help="rows")
    p.add_argument("--few", default="", metavar="ROWS", help="slow rows, measured on fewer images")
    p.add_argument("--limit", type=int, default=16, help="test images of each set (default: 16)")
    p.add_argument(
        "--validation", type=int, default=20, help="images of calibration of each set, 1 to 20 (default: 20)"
    )
    p.add_argument(
        "--few-images", type=int, default=8, help="test images of each set for the rows of --few (default: 8)"
    )
    p.add_argument("--few-validation", type=int, default=8, help="images of calibration of each set for them; 0 makes "
                   "no masks of them (default: 8)")  # fmt: skip
    p.add_argument("--crop", type=int, help="measure the central square of so many pixels")
    p.add_argument("--shift", default="", metavar="TASKS", help="other tasks on whose test images the masks are tried")
    p.add_argument("--alpha", type=float, default=0.1, help="share of pixels that may be kept and wrong (default: 0.1)")
    p.add_argument("--epsilon", type=float, default=20.0, help="error over which a pixel is wrong, 0–255 (default: 20)")
    p.add_argument("--share", type=float, default=0.1, help="of pixels kept and wrong that an image may have, in the "
                   "guarantee on images (default: 0.1)")  # fmt: skip
    p.add_argument("--maps", type=Path, default=MAPS, help=f"where maps are kept (default: {MAPS})")
    p.add_argument("--keep", action="store_true", help="do not measure rows again because their code has changed")
    p.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    p.add_argument("--out", type=Path, required=True, help="where to write")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    arguments = parser().parse_args(argv)
    for name in ("limit", "validation", "few_images", "jobs", "crop"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise SuiteError(f"--{name.replace('_', '-')} {getattr(arguments, name)} is out of range: give 1 or more.")
    if arguments.few_validation < 0:
        raise SuiteError(f"--few-validation {arguments.few_validation} is out of range: give 0 or more.")
    from benchmarks.trust.command import carry_out  # only now: it takes seconds to load

    for path in carry_out(arguments):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
