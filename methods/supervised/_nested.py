"""Checkpoints that hold a state dict among other things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from bigprior.checkpoints import plain
from bigprior.pickled import load_pickled
from bigprior.weight_files import Refusal, reading, size_of


def read_nested(file: Path, entry: str) -> dict[str, Tensor]:
    """Return the tensors of the state dict that a file of `torch.save` holds under `entry`; the rest is not looked at.

    Raises:
        SuiteError: there is none, it holds anything but tensors by name, or a number in it is not finite. Nothing in
            the file is ever executed.
    """
    found = load_pickled(file)
    with reading(file, f"checkpoint with a state dict under '{entry}'"):
        if not isinstance(found, Mapping) or entry not in found:
            raise Refusal("there is nothing of this name in it")
        return {name: tensor.clone() for name, tensor in plain(found[entry], size_of(file)).items()}
