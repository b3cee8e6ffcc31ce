"""Files of weights: read without executing anything in them, and compared with the network that wants them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from datasets.errors import SuiteError

Shapes = Mapping[str, tuple[int, ...]]
N = TypeVar("N", bound=nn.Module)


def read_safetensors(file: str | Path, absent: str = "") -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU, in the precision of the file.

    Args:
        absent: what to do if there is no such file.

    Raises:
        SuiteError: there is none, or it is no safetensors file.
    """
    try:
        return load_file(file)
    except FileNotFoundError:
        raise SuiteError(f"{file} is not there{absent and ': '}{absent}.") from None
    except (OSError, SafetensorError) as error:
        raise SuiteError(f"{file} cannot be read as safetensors ({error}).") from error


def read_state_dict(file: str | Path, absent: str = "") -> dict[str, Tensor]:
    """Return the tensors of a state dict that `torch.save` wrote, on the CPU.

    Args:
        absent: what to do if there is no such file.

    Raises:
        SuiteError: there is none, it is no state dict, or it holds anything but tensors by name; then nothing in it has
            been executed.
    """
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SuiteError(f"{file} is not there{absent and ': '}{absent}.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SuiteError(f"{file} is no state dict of PyTorch ({reason}): get it again.") from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise SuiteError(f"{file} is no state dict of PyTorch: it holds more than tensors by name.")
    return dict(found)


def check_shapes(file: str | Path, what: str, found: Mapping[str, Tensor], expected: Shapes) -> None:
    """Compare the tensors of a file with what a network needs.

    Raises:
        SuiteError: names or shapes differ; the message has the first missing and the first unexpected name, or the
            first wrong shape.
    """

    def first(names: list[str], shapes: Shapes) -> str:
        return f"'{names[0]}' {shapes[names[0]]}" if names else "none"

    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    missing = [name for name in expected if name not in shapes]
    unexpected = [name for name in shapes if name not in expected]
    if missing or unexpected:
        raise SuiteError(
            f"{file} is not {what}: of its {len(shapes)} entries {len(unexpected)} are unexpected (first: "
            f"{first(unexpected, shapes)}), and of {len(expected)} expected {len(missing)} are missing (first: "
            f"{first(missing, expected)})."
        )
    wrong = [name for name in expected if shapes[name] != expected[name]]
    if wrong:
        raise SuiteError(
            f"{file} is not {what}: '{wrong[0]}' has the shape {shapes[wrong[0]]}, expected {expected[wrong[0]]}."
        )


def shapes_of(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a network by name."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def filled(network: N, file: str | Path, what: str, found: Mapping[str, Tensor]) -> N:
    """Return the network with the weights that were found in a file, in its own precision; evaluating and frozen.

    Raises:
        SuiteError: see `check_shapes`.
    """
    check_shapes(file, what, found, shapes_of(network))
    network.load_state_dict(dict(found))
    return network.eval().requires_grad_(False)
