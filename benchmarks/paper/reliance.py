"""The reliance of the released φ-networks, and of ours in their place: `python -m benchmarks.paper.reliance OUT`.

Writes a folder like that of a run (records, run.json, maps), which `python -m benchmarks.reliance OUT` analyses; the
images are the bedroom test images. Colorization has the released inversions as g, and our φ-networks for them beside
the released ones. The inversions of denoising and of the centre hole were not released; there g is the image of the row
`bigprior-prior`. In either case g is held fixed: what implied and declared reliance differ by is what φ takes from y
(and f, where it is more than gray).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError

TASKS = {"colorize": "colorize", "denoise": "denoise[sigma=5:50]", "inpaint-center": "inpaint-center"}
"""Task → its setting."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.paper.reliance", description="Measure the reliance of the released φ-networks."
    )
    p.add_argument("out", type=Path, metavar="OUT", help="folder to write, or to go on in")
    p.add_argument("--task", choices=TASKS, default="colorize", help="which networks (default: colorize)")
    p.add_argument("--limit", type=int, help="only the first N images")
    arguments = p.parse_args(argv)
    if arguments.limit is not None and arguments.limit < 1:
        raise SuiteError(f"--limit {arguments.limit} is out of range: give 1 or more.")
    from benchmarks.paper.implied import measure_released  # only now: it takes seconds to load

    for row, reason in measure_released(arguments.out, TASKS[arguments.task], arguments.limit).items():
        print(f"not measured: {row}: {reason}", file=sys.stderr)
    print(f"Records and maps: {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
