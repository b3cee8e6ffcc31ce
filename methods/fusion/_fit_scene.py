"""The fit of `python -m methods.fusion.fit_scene_phi`, on training images that no network has seen, and the card."""

from __future__ import annotations

import argparse
import io
import platform
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bigprior.phi.loss import image_mse
from bigprior.phi.simplex import fuse_many
from bigprior.phi.with_spread import Example, solve, to_bytes
from bigprior.precision import Precision
from datasets.catalog import TASKS
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.observation import Observation
from datasets.task import Key, Task, get_task
from datasets.training_images import HELD_OUT
from methods.fusion._experts import EXPERTS
from methods.fusion._scene import PHI, evidence, scene_draws, variance_of

PRECISION: Precision = "bfloat16"
SPLIT = "train"


@dataclass(frozen=True)
class Fit:
    """What is fitted to what.

    Attributes:
        task: the degradation.
        both: the expert has a share, too.
        draws: of the scene prior.
        seed: of the degradations.
        folder: where images of the priors are kept.
    """

    task: Task
    both: bool
    draws: int
    seed: int
    folder: Path

    def example(self, name: str, entry: object) -> Example:
        """Return what there is of an image of a training split."""
        key = Key(self.seed, name, entry.name)  # type: ignore[attr-defined]
        observation = self.task.degrade(entry.load(), key)  # type: ignore[attr-defined]
        assert observation.truth is not None
        seen, clean = observation.without_truth(), observation.truth.clean
        parts = EXPERTS[type(seen.operator)]
        f = parts.fidelity(seen)
        channels = f.shape[1]
        scene = self._kept(f"scene{self.draws}", key, seen, self._scene)
        priors = [scene[:, :channels]]
        if self.both:
            priors.append(self._kept("expert", key, seen, lambda it: parts.belief(it, PRECISION)))
        found = evidence(seen, f, torch.stack(priors), scene[:, channels:], self.draws)
        return Example(clean, found)

    def _scene(self, observation: Observation) -> Tensor:
        """Return g and the variance over draws as one image (1,C+1,H,W)."""
        g, draws = scene_draws(observation, self.draws, PRECISION)
        return torch.cat([g, variance_of(draws)], dim=1)

    def _kept(self, what: str, key: Key, observation: Observation, make: object) -> Tensor:
        label = re.sub(r"[^\w.-]+", "-", f"{self.task.label}-seed{self.seed}-{what}")
        path = self.folder / label / key.dataset / f"{key.image}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            np.save(buffer, make(observation).detach().cpu().numpy())  # type: ignore[operator]
            write_atomically(path, buffer.getvalue())
        return torch.from_numpy(np.load(path, allow_pickle=False))


def evaluate(phi: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
    """Return means over images: PSNR of x̂, f and each prior (clipped to [0,1]), x̂'s gain over the best, and φ."""
    rows = []
    with torch.no_grad():
        for example in examples:
            it = example.evidence
            shares = phi(it)
            fused = fuse_many(it.fidelity, it.priors, shares)
            x, f, *others = (_psnr(image, example.clean) for image in (fused, it.fidelity, *it.priors))
            rows.append([x, f, *others, x - max(f, *others), *(float(share.mean()) for share in shares)])
    numbers = range(1, len(examples[0].evidence.priors) + 1)
    names = ["psnr", "psnr_fidelity", *(f"psnr_prior_{k}" for k in numbers), "gain", *(f"phi_{k}" for k in numbers)]
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def _psnr(image: Tensor, clean: Tensor) -> float:
    return float(-10 * image_mse(image.clamp(0, 1), clean).clamp(min=1e-10).log10().mean())


def fit(options: argparse.Namespace, given: Sequence[str]) -> None:
    """Fit, and write weights and card.

    Raises:
        SuiteError: the task has another operator, or nothing is left to fit or to validate.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    tasks = [get_task(str(spec)) for spec in TASKS.parse_list(options.task)]
    operators = {task.problem.operator for task in tasks}
    if len(operators) != 1 or not operators <= set(PHI):
        raise SuiteError(f"--task {options.task}: give noise, or holes, or colours, and nothing else beside it.")
    if not 0 < options.held_out < options.images <= HELD_OUT:
        raise SuiteError(f"--images is at most {HELD_OUT}, and --held-out less than that: some must be left to fit.")
    began = time.monotonic()
    to_fit: list[Example] = []
    to_validate: list[Example] = []
    for task, name in product(tasks, options.sets):
        work = Fit(task, options.prior == "both", options.draws, options.seed, options.out)
        entries = get_dataset(name).entries(SPLIT)[-options.images :]
        for number, entry in enumerate(entries):
            validates = number >= options.images - options.held_out
            (to_validate if validates else to_fit).append(work.example(name, entry))
            print(f"{task.label}: {name} {entry.name}  {time.monotonic() - began:.0f} s", flush=True)
    phi = solve(to_fit, options.ridge)
    scores = evaluate(phi, to_validate)
    options.out.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out / f"{options.name}.safetensors", to_bytes(phi))
    card = _card(options, given, len(to_fit), len(to_validate), scores, time.monotonic() - began)
    write_atomically(options.out / f"{options.name}.md", card.encode())
    print("  ".join(f"{name} {value:.3f}" for name, value in scores.items()))


def _card(
    options: argparse.Namespace,
    given: Sequence[str],
    fitted: int,
    validated: int,
    scores: dict[str, float],
    seconds: float,
) -> str:
    command = f"python -m methods.fusion.fit_scene_phi {shlex.join(given)}".replace(str(options.out), "DIR")
    images = (
        f"{', '.join(options.sets)}: the last {options.images} images of each training split, which no network saw; "
        f"{fitted} pairs to fit, {validated} to validate; no test image was read"
    )
    threads = torch.get_num_threads()
    machine = f"{threads} thread{'' if threads == 1 else 's'}, {platform.machine()}, torch {torch.__version__}"
    expert = "; the expert of `bigprior` is the second prior" if options.prior == "both" else ""
    lines = "\n".join(f"| {name} | {value:.3f} |" for name, value in scores.items())
    return f"""# {options.name}: φ of bigprior[prior={options.prior}] on {options.task}

The share of each prior in every pixel: linear in what f, the priors and the variance over draws look like, found by
least squares and brought onto the simplex (`bigprior.phi.with_spread`). It is not a network.

| | |
| --- | --- |
| priors | the row `posterior`, {options.draws} draws{expert} |
| data-fidelity image f(y) | as in `bigprior` |
| data and split | {images} |
| command | `{command}` |
| time | {seconds:.0f} s on {machine}; what is kept of the priors is not made again |

## Validation

Means over the held-out images, clipped to [0,1], in dB; `gain` is over the best of f and the priors of each image:

| score | value |
| --- | ---: |
{lines}

## Use

The row `bigprior[prior={options.prior}]`, with any number of draws: φ is told how many there are.

## Known weaknesses

- {fitted} pairs are few; a tenth of a dB is within what {validated} others can tell.
- Learned from bedrooms, churches and conference rooms.

## Licence

The weights are part of this suite and under its licence, MIT. The training images belong to their owners and are for
research; see [docs/data.md](../../docs/data.md). No image is stored in the weights file.
"""
