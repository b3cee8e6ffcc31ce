"""MatConvNet networks whose last convolution has one output channel."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bigprior.checkpoints import plain
from bigprior.weight_files import reading, size_of
from methods.supervised._matconvnet import LAYERS, LETTERS, MOST, _array, _member


def read_gray_matconvnet(file: Path) -> dict[str, Tensor]:
    """Return the parameters of a network as `read_matconvnet` does, one-channel outputs included.

    MATLAB drops a last axis of length 1: the kernel of a convolution with one output is (H,W,in) there and (in,W,H) in
    the order of HDF5. It is given its first axis back.

    Raises:
        SuiteError: as `read_matconvnet`.
    """
    import h5py  # slow to import, and needed only here

    size_of(file)
    found: dict[str, Tensor] = {}
    left = MOST
    with reading(file, "network of MatConvNet in a MATLAB 7.3 file"), h5py.File(file, "r") as matlab:
        for position, reference in enumerate(_array(_member(matlab, "net", "layers"), LAYERS), start=1):
            layer = matlab[reference]
            name = "".join(map(chr, _array(_member(layer, "type"), LETTERS))) + str(position)
            if not name.startswith("conv"):
                found[name] = torch.empty(0)
                continue
            arrays = []
            for each in _array(_member(layer, "weights"), 2):
                shape = matlab[each].shape
                arrays.append(_array(matlab[each], left // 8).reshape(shape))
                left -= arrays[-1].nbytes
            weight, bias = arrays
            whole = weight.reshape(-1, *weight.shape[-3:])
            found[f"{name}.weight"] = torch.from_numpy(whole.transpose(0, 1, 3, 2).copy())
            found[f"{name}.bias"] = torch.from_numpy(bias.ravel())
        return plain(found, MOST)
