"""Files of weights: read without executing anything in them, and compared with the network that wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from torch import Tensor, nn

from bigprior.pickled import STATE_DICT, load_pickled
from bigprior.weight_files import Refusal, reading, shown, size_of
from datasets.errors import SuiteError

Shapes = Mapping[str, tuple[int, ...]]
N = TypeVar("N", bound=nn.Module)

NUMBERS = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
)
"""Types that a weight may have."""


def read_safetensors(file: str | Path, absent: str = "") -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU, in the precision of the file.

    Args:
        absent: what to do if there is no such file.

    Raises:
        SuiteError: there is none, it is no safetensors file, or a number in it is not finite.
    """
    return read_described(file, absent)[0]


def read_described(file: str | Path, absent: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file, as `read_safetensors` does, and its metadata."""
    size = size_of(file, absent)
    with reading(file, "safetensors file"), safe_open(file, framework="pt") as opened:
        found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
        return plain(found, size), dict(opened.metadata() or {})


def read_state_dict(file: str | Path, absent: str = "") -> dict[str, Tensor]:
    """Return the tensors of a state dict that `torch.save` wrote, on the CPU.

    Args:
        absent: what to do if there is no such file.

    Raises:
        SuiteError: there is none, it is no state dict, it holds anything but tensors by name, or a number in it is not
            finite. Nothing in it is ever executed.
    """
    found = load_pickled(file, absent)
    with reading(file, STATE_DICT):
        return {name: tensor.clone() for name, tensor in plain(found, size_of(file)).items()}


def plain(found: object, most: int) -> dict[str, Tensor]:
    """Return tensors by name, if that is what was found in a file.

    Args:
        most: bytes that they may have together.

    Raises:
        Refusal: something is no tensor, no plain one on the CPU, or has no name; they have more bytes; or one holds a
            number that is not finite in single precision (the first is named).
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in found.items() if isinstance(found, Mapping) else [(None, found)]:
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise Refusal("it holds more than tensors by name")
        # A quantised tensor calls its layout strided, but has a type of its own.
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in NUMBERS:
            raise Refusal(f"'{shown(name)}' is no plain tensor of numbers")
        tensors[name] = tensor.detach()
    declared = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if declared > most:
        raise Refusal(f"its tensors would have {declared} bytes, and {most} are possible")
    for name, tensor in tensors.items():
        if not bool(tensor.float().isfinite().all()):
            raise Refusal(f"'{shown(name)}' holds NaN or infinity")
    return tensors


def check_shapes(file: str | Path, what: str, found: Mapping[str, Tensor], expected: Shapes) -> None:
    """Compare the tensors of a file with what a network needs.

    Raises:
        SuiteError: names or shapes differ; the message has the first missing and the first unexpected name, or the
            first wrong shape.
    """

    def first(names: list[str], shapes: Shapes) -> str:
        return f"'{shown(names[0])}' {shapes[names[0]]}" if names else "none"

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


def filled(build: Callable[[], N], file: str | Path, what: str, found: Mapping[str, Tensor]) -> N:
    """Return a network with the weights that were found in a file, in its own precision; evaluating and frozen.

    Args:
        build: makes the network. Its weights take memory only once the file is known to have all of them.

    Raises:
        SuiteError: see `check_shapes`.
    """
    with torch.device("meta"):
        expected = shapes_of(build())
    check_shapes(file, what, found, expected)
    network = build()
    network.load_state_dict(dict(found))
    return network.eval().requires_grad_(False)
