"""φ learned on one set and used on another: `python -m benchmarks.paper.shift --task colorize`.

Three φ, each learned on one LSUN set with the f and g of the row `bigprior` and the recipe of its φ, are tested on
images of all three, and so is φ = ½. All images are of the training splits, and no g is of a network trained on the
image. Colours: a linear φ in closed form, of all but the last 20 images of a set, tested on those. Holes: a
φ-network, of 14 of the last 20 images, tested on the other 6. Written to OUT/analyses/:

    phi-shift-TASK.csv    trained_on, tested_on, images, PSNR of x̂, f and g, gain over the better of f and g, mean φ
    phi-shift-TASK.png    the gains and the means as matrices
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.paper.options import add_out
from datasets.cli import guarded
from datasets.errors import unknown

TASKS = ("colorize", "inpaint-random")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.paper.shift", description="Test φ on sets that it was not learned on."
    )
    p.add_argument("--task", default=TASKS[0], help=f"{' or '.join(TASKS)} (default: {TASKS[0]})")
    add_out(p)
    options = p.parse_args(argv)
    if options.task not in TASKS:
        raise unknown("task", options.task, TASKS)
    from benchmarks.paper.places import made, out_of  # only now: these take seconds to load
    from benchmarks.paper.transfer import write

    folder = made(out_of(options) / "analyses")
    print(write(options.task, folder).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
