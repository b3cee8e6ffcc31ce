"""Training that can be killed at any moment: a run that was resumed ends with the weights of one left alone."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bigprior.checkpoints import check_shapes, read_safetensors, shapes_of
from bigprior.muon import Muon
from bigprior.resume import Progress, restore
from datasets.errors import SuiteError
from datasets.files import write_atomically

CHECKPOINT, LOG, CURVE, WEIGHTS = "checkpoint.pt", "log.csv", "curve.png", "weights.safetensors"

Batch = TypeVar("Batch")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        steps: optimiser steps.
        batch: crops per step.
        size: of a crop, pixels.
        rate: peak learning rate of the matrices and kernels (Muon); biases and gains have a tenth of it (AdamW).
        warm_up: steps in which the rate rises linearly from 0. It then falls linearly to 0 at the last step.
        ema: decay per step of the exponential moving average of the weights, which is what is validated and kept.
        clip: largest norm of the gradient.
        seed: of the first weights and, with the step, of every batch.
        validate: steps between validations.
        save: seconds between checkpoints.
    """

    steps: int
    batch: int
    size: int
    rate: float = 0.006
    warm_up: int = 200
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    validate: int = 500
    save: float = 60.0


class Problem(ABC, Generic[Network, Batch]):
    """What is learned from what. Everything random is drawn from the generator it is handed."""

    selection: ClassVar[str]
    """The validation score that a progress line and the curve show."""

    @abstractmethod
    def network(self) -> Network:
        """Return the untrained network; called with torch's global generator seeded."""

    @abstractmethod
    def batch(self, random: np.random.Generator, recipe: Recipe) -> Batch:
        """Return the training batch of a step."""

    @abstractmethod
    def loss(self, network: Network, batch: Batch, progress: float) -> Tensor:
        """Return the scalar loss, at `progress` in [0,1) of the training."""

    def kept(self, network: Network) -> nn.Module:
        """Return the part that is shipped; all of it by default. The rest only helps to train."""
        return network

    @abstractmethod
    def validate(self, network: Network) -> dict[str, float]:
        """Return validation scores by name, of images that are never trained on."""


def step_random(seed: int, step: int) -> np.random.Generator:
    """The generator of a step's batch. It depends on nothing else, so a resumed run draws what it would have drawn."""
    return np.random.default_rng([seed, step])


def rate_at(recipe: Recipe, step: int) -> float:
    """The learning rate of a step, counted from 0."""
    rise = min(1.0, (step + 1) / max(recipe.warm_up, 1))
    return recipe.rate * rise * (1 - step / recipe.steps)


def train(
    problem: Problem[Network, Batch],
    recipe: Recipe,
    out: Path,
    device: str = "cpu",
    resume: bool = False,
    say: Any = print,
    start: Path | None = None,
) -> Network:
    """Train, and return the averaged network. `out` gets checkpoint, log, curve and weights, each written atomically.

    Convolutions run in bfloat16 (autocast) and channels_last; weights, their average and the loss stay float32.

    Args:
        resume: continue from the checkpoint in `out`, if there is one.
        say: prints one line of progress.
        start: weights of an earlier training to begin with; random ones if None.

    Raises:
        SuiteError: `out` holds a run and `resume` is False, the checkpoint is damaged or of another recipe or network,
            `start` is no file of this network's weights, or the loss is not finite (the last checkpoint is kept).
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / CHECKPOINT
    if file.exists() and not resume:
        raise SuiteError(f"{out} holds a training run: add --resume to continue it, or choose another --out.")
    torch.manual_seed(recipe.seed)
    network = problem.network().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start is not None:
        _begin(problem.kept(network), start)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
    optimizer = Muon(network.parameters())
    at = Progress(0, 0.0, 0.0, [])
    if file.exists():
        at = restore(file, comparable(recipe), problem.selection, network, average, optimizer)
    step, total, log = at.step, at.total, at.log
    started, saved = time.monotonic() - at.seconds, time.monotonic()

    def save() -> None:
        modules = {"network": network, "average": average, "optimizer": optimizer}
        state = {name: module.state_dict() for name, module in modules.items()}
        seconds = time.monotonic() - started
        _write(
            file, state | {"recipe": comparable(recipe), "step": step, "seconds": seconds, "total": total, "log": log}
        )

    while step < recipe.steps:
        batch = moved(problem.batch(step_random(recipe.seed, step), recipe), device)
        network.train()
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            loss = problem.loss(network, batch, step / recipe.steps)
        if not torch.isfinite(loss):
            raise SuiteError(f"the loss is {loss.item()} at step {step}: try a lower --rate. {file} is kept.")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step(rate_at(recipe, step))
        # A young average would remember the first weights for too long.
        average.multi_avg_fn = get_ema_multi_avg_fn(min(recipe.ema, (1 + step) / (10 + step)))
        average.update_parameters(network)
        step += 1
        total += loss.item()
        if step % recipe.validate == 0 or step == recipe.steps:
            count = (step - 1) % recipe.validate + 1
            # On the CPU, where images that validate are, wherever the training runs.
            scores = problem.validate(cast(Network, deepcopy(average.module).cpu()).eval())
            row = {"step": step, "seconds": time.monotonic() - started, "loss": total / count, **scores}
            log.append(row)
            total = 0.0
            say(progress_line(row, recipe, problem.selection))
            _write_log(out, log, problem.selection)
            save()
            saved = time.monotonic()
        elif time.monotonic() - saved > recipe.save:
            save()
            saved = time.monotonic()
    result = cast(Network, average.module)
    save_weights(problem.kept(result), out / WEIGHTS)
    return result.eval()


def moved(batch: Any, device: str) -> Any:
    """Return a batch with its tensors on a device: a tensor, or a named tuple or dataclass that has some."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, tuple):
        return type(batch)(*(moved(part, device) for part in batch))
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{field.name: moved(getattr(batch, field.name), device) for field in fields(batch)})
    return batch


def progress_line(row: Mapping[str, float], recipe: Recipe, selection: str) -> str:
    """Return one line: how far, how good, and how long it will take from here."""
    left = row["seconds"] * (recipe.steps / row["step"] - 1)
    score = f"{selection} {row[selection]:.3f}"
    return f"step {row['step']}/{recipe.steps}  loss {row['loss']:.4f}  {score}  {left / 60:.0f} min left"


def save_weights(network: nn.Module, file: Path) -> None:
    """Write the weights in half precision as safetensors, atomically."""
    half = {name: tensor.detach().cpu().half().contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(file, safetensors.torch.save(half))


def _begin(network: nn.Module, file: Path) -> None:
    found = read_safetensors(file)
    check_shapes(file, f"what a {type(network).__name__} of this training can begin with", found, shapes_of(network))
    network.load_state_dict(found)


def comparable(recipe: Recipe) -> dict[str, float]:
    """What must be the same for a checkpoint to be resumed: everything but how often it is written."""
    return {name: value for name, value in asdict(recipe).items() if name != "save"}


def _write(file: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(file, buffer.getvalue())


def _write_log(out: Path, log: list[dict[str, float]], selection: str) -> None:
    """Write the log as CSV and draw it: the loss of the steps and the validation score of the averaged weights."""
    import seaborn as sns
    from matplotlib.figure import Figure

    table = pd.DataFrame(log)
    write_atomically(out / LOG, table.to_csv(index=False).encode())
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    for axis, column, label in zip(
        figure.subplots(1, 2), ("loss", selection), ("training loss", selection), strict=True
    ):
        sns.lineplot(table, x="step", y=column, ax=axis, marker="o", markersize=4)
        axis.set(xlabel="step", ylabel=label)
        sns.despine(ax=axis)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    write_atomically(out / CURVE, drawn.getvalue())
