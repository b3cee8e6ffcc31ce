"""The weights of networks of MatConvNet, in MATLAB 7.3 files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.errors import SuiteError


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
