"""Train our supervised networks: `python -m methods.supervised.train TASK --out DIR`, TASK one of `TASKS`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import unknown

# Names of modules that take seconds to load, so that a command line is read at once.
TASKS = ("denoise", "inpaint", "inpaint-gan", "artefacts", "colorize")
"""What there is a job for."""
SETS = ("cbsd432", "lsun-bedroom", "lsun-church", "lsun-conference", "houses", "imagenet-samples")
"""Sets with a training split; a job uses the last two if they are named."""
RECIPE: dict[str, type[int] | type[float]] = {
    "steps": int, "batch": int, "size": int, "rate": float, "warm_up": int, "ema": float, "clip": float, "seed": int,
    "validate": int, "save": float,
}  # fmt: skip
"""The numbers of a recipe."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m methods.supervised.train", description=__doc__)
    parser.add_argument("task", help=", ".join(TASKS))
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint, log, curve and weights")
    parser.add_argument("--sets", nargs="+", metavar="SET", help=f"training sets, of {', '.join(SETS)}")
    parser.add_argument("--start", type=Path, help="weights of an earlier training to begin with; random by default")
    parser.add_argument("--resume", action="store_true", help="resume from the checkpoint in --out")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--batches", choices=["host", "device"], help="where batches are drawn; on a GPU by default the device"
    )
    parser.add_argument("--seconds", type=float, help="in place of --steps: as many as fit, settled before the first")
    parser.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    for name, kind in RECIPE.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    if options.task not in TASKS:
        raise unknown("training task", options.task, TASKS)
    from methods.supervised.jobs import carry_out  # only now: it takes seconds to load

    return carry_out(options, given)


if __name__ == "__main__":
    sys.exit(guarded(main))
