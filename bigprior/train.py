"""Train parts of the framework: `python -m bigprior.train phi --task colorize --prior-images … --out DIR`."""

from __future__ import annotations

import argparse
import json
import platform
import re
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from bigprior.model_card import CARD, write_card
from bigprior.phi.implied import ImpliedPhi
from bigprior.phi.least_squares import LinearPhi, solve
from bigprior.phi.least_squares import to_bytes as linear_to_bytes
from bigprior.phi.loss import LOSSES
from bigprior.phi.network import PhiConfig, PhiNetwork, to_bytes
from bigprior.phi.train import Cached, Files, ImageOf, PhiProblem, Source, evaluate, lifted, named_prior, read_pairs
from bigprior.priors.compact.prior import CompactPrior
from bigprior.priors.compact.samples import LEGEND as SAMPLES_LEGEND
from bigprior.priors.compact.samples import SAMPLES, draw_samples
from bigprior.priors.compact.training import Conditions
from bigprior.training import LOG, WEIGHTS, Recipe, train
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.task import get_task
from datasets.training_images import HELD_OUT, TRAINING_SETS, TrainingImages

IMPLIED = "implied"
"""Name of the loss of `ImpliedPhi`, which is not one of an image."""
NOWHERE = Source("", "", 0, 0)
"""The source of an image that a prior is asked about in passing."""
LEAST_SQUARES = "least-squares"
"""Name of the loss of `solve`, which has its minimiser in closed form."""
INPAINTING = ("inpaint-center", "inpaint-random")


@dataclass(frozen=True)
class Card:
    """The model card of a φ-network."""

    name: str
    task: str
    sets: tuple[str, ...]
    prior: str
    fidelity: str
    loss: str
    recipe: dict[str, Any]
    command: str
    seconds: float
    machine: str
    images: str
    parameters: int
    validation: dict[str, float]

    def markdown(self) -> str:
        """The card to read."""
        v = self.validation
        return f"""# {self.name}: φ for {self.task}

The share of the prior in every pixel, one channel, in [0,1].

| | |
| --- | --- |
| prior image g | {self.prior} |
| data-fidelity image f(y) | {self.fidelity} |
| data and split | {self.images} |
| loss | {self.loss} |
| parameters | {self.parameters} |
| command | `{self.command}` |
| time | {self.seconds:.0f} s on {self.machine} |

## Validation

Mean over the held-out images, clipped to [0,1]: PSNR of the fusion {v["psnr"]:.2f} dB, of f {v["psnr_fidelity"]:.2f}
dB, of g {v["psnr_prior"]:.2f} dB. Against the better of f and g of each image: {v["gain"]:+.2f} dB. Mean φ:
{v["phi_mean"]:.3f}. Recipe and numbers are in `{self.name}.json`.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m bigprior.train", description=(__doc__ or "").split(":")[0])
    commands = p.add_subparsers(dest="what", required=True)
    phi = commands.add_parser("phi", help="a φ-network, from the images of any prior")
    phi.add_argument("--task", required=True, help="denoise, inpaint-center, inpaint-random or colorize")
    phi.add_argument("--sigma", help="denoise: σ on the 0–255 scale, or A:B")
    phi.add_argument("--set", dest="sets", nargs="+", required=True, metavar="SET", help="sets with a training split")
    prior = phi.add_mutually_exclusive_group(required=True)
    prior.add_argument("--prior-images", metavar="PATH", help=(Files.__doc__ or "").split("\n")[0])
    prior.add_argument("--prior", metavar="MODULE:NAME", help="a prior to ask, once per image; kept in --out")
    fidelity = phi.add_mutually_exclusive_group()
    fidelity.add_argument("--fidelity-images", metavar="PATH", help="likewise f(y); by default the task's own")
    fidelity.add_argument("--fidelity", metavar="MODULE:NAME", help="a function (Observation) → f(y)")
    phi.add_argument("--prior-name", default="", help="what the card calls the prior")
    phi.add_argument("--fidelity-name", default="", help="what the card calls f(y)")
    phi.add_argument(
        "--loss", choices=[*sorted(LOSSES), IMPLIED, LEAST_SQUARES], default="relative", help="default: relative"
    )
    phi.add_argument("--ridge", type=float, default=1.0, help=f"of --loss {LEAST_SQUARES} (default: 1)")
    phi.add_argument("--name", default="phi", help="of the weights: NAME.safetensors, NAME.md and NAME.json in --out")
    phi.add_argument("--draws", type=int, default=1, help="degradations of every image (default: 1)")
    phi.add_argument("--held-out", type=int, default=HELD_OUT, help=f"last images of a set, to validate ({HELD_OUT})")
    phi.add_argument("--unseen", action="store_true", help="learn from images that our networks were not trained on")
    phi.add_argument("--widths", type=int, nargs="+", default=PhiConfig.widths, help="channels at 1/2, 1/4, …")
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
    network.add_argument("--set", dest="sets", nargs="+", default=list(TRAINING_SETS), metavar="SET")
    network.add_argument("--steps", type=int, default=7500)
    network.add_argument("--batch", type=int, default=4, help="noisy crops per step; other conditions have their own")
    network.add_argument("--size", type=int, default=96, help="of a noisy crop (default: 96)")
    network.add_argument("--rate", type=float, default=0.005)
    network.add_argument("--validate", type=int, default=1000, help="steps between validations")
    network.add_argument("--seed", type=int, default=0)
    network.add_argument("--resume", action="store_true", help="resume from the checkpoint in --out")
    network.add_argument("--device", default="cpu")
    network.add_argument("--threads", type=int, help="of the CPU; all cores by default")
    network.add_argument("--out", type=Path, required=True)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(given)
    if options.threads:
        torch.set_num_threads(options.threads)
    return train_prior(options, given) if options.what == "prior" else train_phi(options, given)


def train_prior(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Train the network of all conditional means."""
    problem = Conditions(TrainingImages(tuple(options.sets)), options.start)
    recipe = Recipe(
        steps=options.steps, batch=options.batch, size=options.size, rate=options.rate, seed=options.seed,
        validate=options.validate,
    )  # fmt: skip
    network = train(problem, recipe, options.out, options.device, options.resume, lambda line: print(line, flush=True))
    draw_samples(CompactPrior(network), problem.images, options.out / SAMPLES)
    command = _command(options, given)
    more = ["", "## Samples", "", *SAMPLES_LEGEND, "", f"![samples]({SAMPLES})"]
    write_card(options.out, problem, recipe, options.sets, command, more)
    print(f"weights: {options.out / WEIGHTS}, and their card: {options.out / CARD}")
    return 0


def train_phi(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Train a φ-network."""
    if options.loss == IMPLIED:
        return train_implied(options, given)
    if options.loss == LEAST_SQUARES and options.task != "colorize":
        raise SuiteError(f"--loss {LEAST_SQUARES} is for --task colorize: it looks at luma and chroma.")
    began = time.monotonic()
    task = get_task(options.task, **({} if options.sigma is None else {"sigma": options.sigma}))
    fidelity: ImageOf = Files(options.fidelity_images) if options.fidelity_images else lifted
    if options.fidelity:
        fidelity = named_prior(options.fidelity)
    prior = Files(options.prior_images) if options.prior_images else Cached(named_prior(options.prior), _cache(options))
    pairs = read_pairs(task, options.sets, prior, fidelity, options.draws, options.seed, options.held_out,
                       options.unseen)  # fmt: skip
    network: LinearPhi | PhiNetwork
    if options.loss == LEAST_SQUARES:
        fitted = time.monotonic()
        network = solve(pairs[0], options.ridge)
        recipe, seconds = {"ridge": options.ridge}, time.monotonic() - fitted
        weights = linear_to_bytes(network)
    else:
        config = PhiConfig(task.name, tuple(options.widths), options.scale, hole_only=task.name in INPAINTING)
        problem, stated = PhiProblem(config, pairs, options.loss), _recipe(options)
        trained = train(problem, stated, options.out, options.device, options.resume, lambda s: print(s, flush=True))
        network = problem.at_work(trained)
        recipe, seconds = asdict(stated), float(pd.read_csv(options.out / LOG).seconds.iloc[-1])
        weights = to_bytes(network)
    threads = torch.get_num_threads()
    card = Card(
        name=options.name, task=task.label, sets=tuple(options.sets), loss=options.loss, recipe=recipe,
        prior=options.prior_name or options.prior or options.prior_images,
        fidelity=options.fidelity_name or options.fidelity or options.fidelity_images or "the task's own lift of y",
        command=_command(options, given), seconds=seconds,
        machine=f"{threads} thread{'' if threads == 1 else 's'}, {platform.machine()}, torch {torch.__version__}",
        images=f"{', '.join(options.sets)}: training split, {len(pairs[0])} pairs to fit, the last "
               f"{options.held_out} images of each set ({len(pairs[1])}) to validate; no test image was read",
        parameters=sum(t.numel() for t in network.state_dict().values()),
        validation=evaluate(network, pairs[1]),
    )  # fmt: skip
    write(options.out, card, weights)
    print(f"{options.out / options.name}.safetensors, {time.monotonic() - began:.0f} s in all")
    return 0


def train_implied(options: argparse.Namespace, given: Sequence[str]) -> int:
    """Train a φ-network to predict the implied reliance of a denoiser."""
    if options.task != "denoise" or not options.prior:
        raise SuiteError(f"--loss {IMPLIED} is for --task denoise with --prior: it asks the prior for a derivative.")
    prior = named_prior(options.prior)
    config = PhiConfig(options.task, tuple(options.widths))
    images = TrainingImages(tuple(options.sets))
    problem = ImpliedPhi(config, images, lambda observation: prior(NOWHERE, observation))
    recipe = _recipe(options)
    network = train(problem, recipe, options.out, options.device, options.resume, lambda line: print(line, flush=True))
    write_atomically(options.out / f"{options.name}.safetensors", to_bytes(network))
    write_card(options.out, problem, recipe, options.sets, _command(options, given))
    return 0


def _command(options: argparse.Namespace, given: Sequence[str]) -> str:
    """The command that gives the same weights: a run that was resumed ends as one left alone."""
    words = [word for word in given if word != "--resume"]
    return f"python -m bigprior.train {shlex.join(words)}".replace(str(options.out), "DIR")


def _recipe(options: argparse.Namespace) -> Recipe:
    return Recipe(
        steps=options.steps, batch=options.batch, size=options.size, rate=options.rate, ema=options.ema,
        seed=options.seed, validate=options.validate, warm_up=min(200, options.steps // 5),
    )  # fmt: skip


def _cache(options: argparse.Namespace) -> Path:
    """The folder of a prior's images: one for each prior, task and seed."""
    words = (options.prior, options.task, options.sigma or "", f"seed{options.seed}")
    return Path(options.out) / "prior" / re.sub(r"[^\w.-]+", "-", "-".join(filter(None, words)))


def write(out: Path, card: Card, weights: bytes) -> None:
    """Write NAME.safetensors and its card, each atomically."""
    files = {
        f"{card.name}.safetensors": weights,
        f"{card.name}.json": (json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n").encode(),
        f"{card.name}.md": card.markdown().encode(),
    }
    for name, data in files.items():
        write_atomically(out / name, data)


if __name__ == "__main__":
    sys.exit(guarded(main))
