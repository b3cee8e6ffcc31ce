"""Fit φ of the scene prior, alone or beside an expert: `python -m methods.fusion.fit_scene_phi --task colorize …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded

PRIORS = ("scene", "both")
"""Which priors share an image with f."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m methods.fusion.fit_scene_phi", description="Fit φ of the scene prior by least squares."
    )
    p.add_argument(
        "--task",
        required=True,
        help="denoise[sigma=5:50], or inpaint-center,inpaint-random, or colorize",
    )
    p.add_argument("--set", dest="sets", nargs="+", required=True, metavar="SET", help="sets with a training split")
    p.add_argument("--prior", choices=PRIORS, default="scene", help="alone, or with the expert (default: scene)")
    p.add_argument("--images", type=int, default=10, help="images of a set, of those no network has seen (default: 10)")
    p.add_argument("--held-out", type=int, default=4, help="so many of them validate (default: 4)")
    p.add_argument("--draws", type=int, default=4, help="of the scene prior (default: 4)")
    p.add_argument("--ridge", type=float, default=0.1, help="default: 0.1")
    p.add_argument("--seed", type=int, default=0, help="of the degradations")
    p.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    p.add_argument("--name", required=True, help="of the weights: NAME.safetensors and NAME.md in --out")
    p.add_argument("--out", type=Path, required=True, help="folder; what the priors say of an image is kept in it")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(given)
    from methods.fusion._fit_scene import fit  # only now: it takes seconds to load

    fit(options, given)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
