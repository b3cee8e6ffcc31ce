"""The weights of networks of MatConvNet, in MATLAB 7.3 files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bigprior.checkpoints import plain
from bigprior.weight_files import Refusal, reading, size_of

MOST = 256 << 20
"""Bytes that the arrays of a file may declare: what was never written, or repeats, takes hardly any room in a file."""
LAYERS, LETTERS = 1000, 64
"""How many layers a network may have, and letters the name of a type."""


def read_matconvnet(file: Path) -> dict[str, Tensor]:
    """Return the parameters of a `simplenn` network of MatConvNet in a MATLAB 7.3 file.

    A convolution at position p of the network (counted from 1) gives `conv<p>.weight` (out,in,H,W), to be applied as
    a correlation, and `conv<p>.bias` (out,). Any other layer gives an empty tensor `<type><p>`.

    Raises:
        SuiteError: the file is no such network, an array has more bytes than there may be, or a number in it is not
            finite.
    """
    import h5py  # slow to import, and needed only here

    size_of(file)
    found: dict[str, Tensor] = {}
    left = MOST
    with reading(file, "network of MatConvNet in a MATLAB 7.3 file"), h5py.File(file, "r") as matlab:
        for position, reference in enumerate(_array(_member(matlab, "net", "layers"), LAYERS), start=1):
            layer = matlab[reference]
            letters = _array(_member(layer, "type"), LETTERS)
            name = "".join(map(chr, letters)) + str(position)
            if not name.startswith("conv"):
                found[name] = torch.empty(0)
                continue
            arrays = []
            for each in _array(_member(layer, "weights"), 2):
                shape = matlab[each].shape
                arrays.append(_array(matlab[each], left // 8).reshape(shape))
                left -= arrays[-1].nbytes
            weight, bias = arrays
            # MATLAB's (H,W,in,out), first axis fastest, is (out,in,W,H) in the order of HDF5.
            found[f"{name}.weight"] = torch.from_numpy(weight.transpose(0, 1, 3, 2).copy())
            found[f"{name}.bias"] = torch.from_numpy(bias.ravel())
        return plain(found, MOST)


def _member(group: Any, *names: str) -> Any:
    """Return what a group holds itself: a link by name could lead in a circle, or to another file.

    Raises:
        Refusal: it holds none.
    """
    import h5py

    for name in names:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise Refusal(f"'{name}' is not there, or is a link")
        group = group[name]
    return group


def _array(dataset: Any, most: int) -> np.ndarray:
    """Return the elements of an array of numbers or references, in one row.

    Raises:
        Refusal: there are more than `most` of them, or they are in another file.
        TypeError: they are something else.
    """
    import h5py

    if dataset.dtype.kind not in "fiu" and h5py.check_ref_dtype(dataset.dtype) is not h5py.Reference:
        raise TypeError
    count = max(dataset.size, math.prod(dataset.chunks or ()))
    if count > most or dataset.external is not None or dataset.is_virtual:
        raise Refusal(f"an array is of {count} elements, and {most} in this file itself are possible")
    return np.ravel(dataset[()])
