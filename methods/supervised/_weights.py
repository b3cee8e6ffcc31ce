"""Files of trained weights: read without executing anything in them, and compared with what is expected."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.errors import SuiteError

Shapes = Mapping[str, tuple[int, ...]]


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict that `torch.save` wrote, on the CPU.

    Raises:
        SuiteError: it is not one, or holds anything but tensors by name; then nothing in it has been executed.
    """
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise SuiteError(f"{file} is no state dict of PyTorch ({type(error).__name__}: {reason}).") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise SuiteError(f"{file} is no state dict of PyTorch: it holds more than tensors by name.")
    return dict(found)


def read_matconvnet(file: Path) -> dict[str, Tensor]:
    """Return the parameters of a `simplenn` network of MatConvNet in a MATLAB 7.3 file.

    A convolution at position p of the network (counted from 1) gives `conv<p>.weight` (out,in,H,W), to be applied as
    a correlation, and `conv<p>.bias` (out,). Any other layer gives an empty tensor `<type><p>`.

    Raises:
        SuiteError: the file is no such network.
    """
    import h5py  # slow to import, and needed only here

    found: dict[str, Tensor] = {}
    try:
        with h5py.File(file, "r") as matlab:
            for position, reference in enumerate(np.ravel(matlab["net/layers"]), start=1):
                layer = matlab[reference]
                name = "".join(map(chr, np.ravel(layer["type"]))) + str(position)
                if not name.startswith("conv"):
                    found[name] = torch.empty(0)
                    continue
                weight, bias = (np.array(matlab[each]) for each in np.ravel(layer["weights"]))
                # MATLAB's (H,W,in,out), first axis fastest, is (out,in,W,H) in the order of HDF5.
                found[f"{name}.weight"] = torch.from_numpy(weight.transpose(0, 1, 3, 2).copy())
                found[f"{name}.bias"] = torch.from_numpy(bias.ravel())
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise SuiteError(f"{file} is no network of MatConvNet in a MATLAB 7.3 file ({error}).") from error
    return found


def check_shapes(file: Path, what: str, found: Mapping[str, Tensor], expected: Shapes) -> None:
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
