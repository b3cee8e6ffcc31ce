"""The runner: `python -m benchmarks.run --task denoise --methods all`.

Every row restores the same degraded images; records are written as they are made, so a run that was killed goes on
where it was. See the README for what a run leaves in its folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import processes
from datasets.cli import guarded


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Compare restoration methods on one task and one set of images.",
        epilog="What there is: python -m methods list; python -m datasets list.",
    )
    p.add_argument("--task", required=True, help="denoise, inpaint-center, colorize, … (any other name lists all)")
    p.add_argument("--methods", default="all", help="'all', or names separated by commas (default: all)")
    p.add_argument("--dataset", default="photos", help="a named set, or a folder of images (default: photos)")
    p.add_argument("--split", default="test", help="split of the set (default: test)")
    p.add_argument("--sigma", help="denoise: σ on the 0–255 scale (default 25), or A:B for blind, drawn per image")
    p.add_argument("--limit", type=int, help="only the first N images")
    p.add_argument("--seed", type=int, default=0, help="seed of noise and masks (default: 0)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    p.add_argument("--jobs", type=int, help="worker processes, one thread each (default: all cores; 1 on a GPU)")
    p.add_argument("--protocol", default="standard", help="standard, or paper for BIGPrior's (default: standard)")
    p.add_argument("--out", type=Path, help="folder of the run (default: results/runs/<task>-<dataset>-…)")
    p.add_argument("--save-images", action="store_true", help="keep restorations, φ and g as arrays and PNGs")
    p.add_argument("--reliance", action="store_true", help="measure how much of every result is prior, and SURE, by 8 "
                   "more restorations per image")  # fmt: skip
    p.add_argument("--fresh", action="store_true", help="begin anew; an earlier run in --out is kept aside")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    began = time.monotonic()
    arguments = parser().parse_args(argv)
    processes.start_server()
    # Imported only now: the workers' server imports torch meanwhile, on another core.
    from benchmarks.session import run

    try:
        return run(arguments, began=began)
    except KeyboardInterrupt:
        for child in multiprocessing.active_children():
            child.kill()  # not waiting for workers that are deep in compiled code
        raise


if __name__ == "__main__":
    sys.exit(guarded(main))
