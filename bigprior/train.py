"""Train parts of the framework: `python -m bigprior.train phi --task colorize --prior-images … --out DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.cli import guarded

# Names and numbers of modules that take seconds to load, so that a command line is read at once.
LOSSES = ("ab", "gain", "paper", "relative")
"""The losses of an image, by name."""
WIDTHS = (32, 48, 64, 88)
"""Channels of a φ-network unless it is said otherwise."""
HELD_OUT = 20
"""Images of a set that validate unless it is said otherwise."""
IMPLIED = "implied"
"""Name of the loss of `ImpliedPhi`, which is not one of an image."""
TRAINING = "sets with a training split; all by default"
"""What is said of --set."""
LEAST_SQUARES = "least-squares"
"""Name of the loss of `solve`, which has its minimiser in closed form."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m bigprior.train", description=(__doc__ or "").split(":")[0])
    commands = p.add_subparsers(dest="what", required=True)
    phi = commands.add_parser("phi", help="a φ-network, from the images of any prior")
    phi.add_argument(
        "--task", required=True, help="a task's spec, or several of one task: jpeg[quality=10],jpeg[quality=40]"
    )
    phi.add_argument("--sigma", help="denoise: σ on the 0–255 scale, or A:B")
    phi.add_argument("--set", dest="sets", nargs="+", required=True, metavar="SET", help="sets with a training split")
    prior = phi.add_mutually_exclusive_group(required=True)
    prior.add_argument(
        "--prior-images",
        metavar="PATH",
        help="images made elsewhere: a folder of NUMBER.png or NAME.png, or a pattern with {number} or {name} in it",
    )
    prior.add_argument("--prior", metavar="MODULE:NAME", help="a prior to ask, once per image; kept in --out")
    fidelity = phi.add_mutually_exclusive_group()
    fidelity.add_argument("--fidelity-images", metavar="PATH", help="likewise f(y); by default the task's own")
    fidelity.add_argument("--fidelity", metavar="MODULE:NAME", help="a function (Observation) → f(y)")
    phi.add_argument("--prior-name", default="", help="what the card calls the prior")
    phi.add_argument("--fidelity-name", default="", help="what the card calls f(y)")
    phi.add_argument("--loss", choices=[*LOSSES, IMPLIED, LEAST_SQUARES], default="relative", help="default: relative")
    phi.add_argument("--ridge", type=float, default=1.0, help=f"of --loss {LEAST_SQUARES} (default: 1)")
    phi.add_argument("--name", default="phi", help="of the weights: NAME.safetensors, NAME.md and NAME.json in --out")
    phi.add_argument("--draws", type=int, default=1, help="degradations of every image (default: 1)")
    phi.add_argument("--held-out", type=int, default=HELD_OUT, help=f"last images of a set, to validate ({HELD_OUT})")
    phi.add_argument("--unseen", action="store_true", help="learn from images that our networks were not trained on")
    phi.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="channels at 1/2, 1/4, …")
    phi.add_argument("--scale", type=int, default=1, help="decide φ on means over SCALE×SCALE pixels (default: 1)")
    phi.add_argument("--steps", type=int, default=1500)
    phi.add_argument("--batch", type=int, default=8)
    phi.add_argument("--size", type=int, default=128, help="of a crop (default: 128)")
    phi.add_argument("--rate", type=float, default=0.005)
    phi.add_argument("--ema", type=float, default=0.995)
    phi.add_argument("--validate", type=int, default=250, help="steps between validations")
    phi.add_argument("--seed", type=int, default=0)
    phi.add_argument("--resume", action="store_true", help="resume from the checkpoint in --out")
    phi.add_argument("--device", default="cpu")
    phi.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    phi.add_argument("--out", type=Path, required=True)
    network = commands.add_parser("prior", help="the network of all conditional means")
    network.add_argument("--start", type=Path, help="weights of the denoiser to begin with; random by default")
    network.add_argument("--steps", type=int, default=7500)
    _training(network, batch=4, size=96, rate=0.005, validate=1000)
    scene = commands.add_parser("scene", help="the scene prior: a diffusion model of small photographs")
    length = scene.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, default=5000)
    length.add_argument("--seconds", type=float, help="as many steps as fit, told from the first")
    scene.add_argument("--ema", type=float, default=0.999)
    _training(scene, batch=64, size=64, rate=0.004, validate=500)
    fine = commands.add_parser("fine", help="the network that adds what is fine to a draw of the scene prior")
    fine.add_argument("--steps", type=int, default=2950)
    fine.add_argument("--ema", type=float, default=0.998)
    _training(fine, batch=3, size=128, rate=0.004, validate=700)
    weights = commands.add_parser("scene-weights", help="weights of the scene prior from a checkpoint of its script")
    weights.add_argument("parts", nargs="+", type=Path, metavar="FILE", help="the parts, safetensors")
    weights.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    weights.add_argument("--out", type=Path, required=True, metavar="FILE")
    samples = commands.add_parser(
        "scene-samples", help="what the scene prior draws: a sheet, and what k-NN makes of it"
    )
    samples.add_argument("--weights", type=Path, help="by default those that are shipped")
    samples.add_argument("--set", dest="sets", nargs="+", metavar="SET", help=TRAINING)
    samples.add_argument("--draw-steps", type=int, default=18, help="of the flow (default: 18)")
    samples.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    samples.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    samples.add_argument("--out", type=Path, required=True)
    return p


def _training(command: argparse.ArgumentParser, batch: int, size: int, rate: float, validate: int) -> None:
    """Add what the trainings of all priors can be told, with these defaults."""
    command.add_argument("--set", dest="sets", nargs="+", metavar="SET", help=TRAINING)
    command.add_argument("--batch", type=int, default=batch, help=f"crops per step (default: {batch})")
    command.add_argument("--size", type=int, default=size, help=f"of a crop (default: {size})")
    command.add_argument("--rate", type=float, default=rate)
    command.add_argument("--validate", type=int, default=validate, help="steps between validations")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--resume", action="store_true", help="resume from the checkpoint in --out")
    command.add_argument("--device", default="cpu")
    command.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    command.add_argument("--out", type=Path, required=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(given)
    from bigprior.train_command import carry_out  # only now: it takes seconds to load

    return carry_out(options, given)


if __name__ == "__main__":
    sys.exit(guarded(main))
