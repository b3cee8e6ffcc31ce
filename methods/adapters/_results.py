"""Files with results of others: which are there, and how they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import tifffile
import torch
from torch import Tensor

from datasets.errors import SuiteError
from datasets.exchange import MANIFEST
from datasets.images import read_image

ENDINGS = (".npy", ".mat", ".tiff", ".tif", ".png")
"""What is read; if an image has several files, the first of these is."""
NAMES = ("x", "image", "restored")
"""Names that a variable of a .mat file is recognised by."""
PHI, PRIOR = "phi", "g"
_PART = re.compile(rf"(.+)\.({PHI}|{PRIOR}|draw\d+)")
_PNG_DEPTH = 24
"""Place of the bit depth in a PNG: in IHDR, which is always the first chunk."""


@dataclass(frozen=True)
class Result:
    """The files of one image.

    Attributes:
        image: the restoration.
        draws: several in its place.
        phi, prior: φ and g, if they are there.
    """

    image: Path | None
    draws: tuple[Path, ...]
    phi: Path | None
    prior: Path | None

    @property
    def images(self) -> tuple[Path, ...]:
        """The restoration, or its draws."""
        return self.draws if self.image is None else (self.image,)

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(file for file in (self.image, *self.draws, self.phi, self.prior) if file is not None)


def find(folder: Path, wanted: Iterable[str]) -> tuple[dict[str, Result], list[str]]:
    """Return the results of a folder by their names, and the names of files that belong to none.

    Raises:
        SuiteError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as inside:
            names = sorted(item.name for item in inside if not item.name.startswith(".") and item.is_file())
    except OSError as error:
        raise SuiteError(f"folder {folder} cannot be read ({error.strerror}): check the path.") from error
    known, parts, extra = set(wanted), dict[str, dict[str, Path]](), []
    split = sorted((os.path.splitext(name) for name in names), key=lambda pair: _rank(pair[1]))
    for stem, ending in split:
        match = None if stem in known else _PART.fullmatch(stem)
        base, part = (match[1], match[2]) if match else (stem, "")
        if base in known and _rank(ending) < len(ENDINGS) and part not in parts.setdefault(base, {}):
            parts[base][part] = folder / (stem + ending)
        elif stem + ending != MANIFEST:
            extra.append(stem + ending)
    results = {base: _result(found) for base, found in parts.items()}
    extra += [file.name for result in results.values() if not result.images for file in result.files]
    return {base: result for base, result in results.items() if result.images}, sorted(extra)


def _rank(ending: str) -> int:
    return ENDINGS.index(ending.lower()) if ending.lower() in ENDINGS else len(ENDINGS)


def _result(parts: Mapping[str, Path]) -> Result:
    draws = sorted((part for part in parts if part.startswith("draw")), key=lambda part: int(part[4:]))
    return Result(parts.get(""), tuple(parts[draw] for draw in draws), parts.get(PHI), parts.get(PRIOR))


def read_pixels(path: Path) -> Tensor:
    """Return an array or picture as (C,H,W): floats as they are, not clipped; 8 and 16 bit divided by full scale.

    Raises:
        SuiteError: it is damaged, no image of 1 or 3 channels, of whole numbers of unknown scale, or not finite.
    """
    ending = path.suffix.lower()
    if ending not in (".npy", ".mat"):
        return read_image(path)
    try:
        array = np.load(path, allow_pickle=False) if ending == ".npy" else _read_variable(path, _variable(path))
    except SuiteError:
        raise
    except Exception as error:  # readers raise what comes on a damaged file
        raise SuiteError(f"result '{path}' cannot be read ({' '.join(str(error).split())}): save it again.") from error
    if not _is_image(array.shape):
        raise SuiteError(f"result '{path}' has shape {array.shape}: save one array (H,W), (H,W,1) or (H,W,3).")
    if array.dtype in (np.uint8, np.uint16):
        array = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    if array.dtype.kind != "f":
        raise SuiteError(f"result '{path}' holds {array.dtype} numbers: save it as floats, uint8 or uint16.")
    if not np.isfinite(array).all():
        raise SuiteError(f"result '{path}' holds NaN or infinite values: mend it.")
    whole = np.atleast_3d(array).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(whole, dtype=whole.dtype.newbyteorder("=")))


def bits(path: Path) -> int | None:
    """Return how many bits the numbers of a file were rounded to; None of floats, and of what cannot be read."""
    ending = path.suffix.lower()
    try:
        if ending == ".png":
            with open(path, "rb") as stream:
                return 16 if stream.read(_PNG_DEPTH + 1)[_PNG_DEPTH] == 16 else 8
        if ending == ".npy":
            dtype = np.load(path, mmap_mode="r", allow_pickle=False).dtype
        elif ending == ".mat":
            dtype = np.dtype(_variables(path)[_variable(path)][1])
        else:
            with tifffile.TiffFile(path) as file:
                dtype = np.dtype(file.pages[0].dtype)
    except Exception:  # said when it is read
        return None
    return 8 * dtype.itemsize if dtype.kind == "u" else None


def _is_image(shape: tuple[int, ...]) -> bool:
    return (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))) and min(shape[:2]) > 1


def _variables(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Variables of a .mat file with shape and type, those of version 7.3 (HDF5, axes reversed) included."""
    if not h5py.is_hdf5(path):
        types = {"double": "f8", "single": "f4"}
        return {name: (tuple(shape), types.get(kind, kind)) for name, shape, kind in scipy.io.whosmat(path)}
    with h5py.File(path, "r") as file:
        return {name: (item.shape[::-1], str(item.dtype)) for name, item in file.items() if hasattr(item, "shape")}


def _variable(path: Path) -> str:
    images = [name for name, (shape, _) in _variables(path).items() if _is_image(shape)]
    named = [name for name in NAMES if name in images] or images
    if len(named) == 1 or (named and named[0] in NAMES):
        return named[0]
    there = f"holds {len(images)} image arrays ({', '.join(images)})" if images else "holds no image array"
    raise SuiteError(f"result '{path}' {there}: save one, or call it {' or '.join(NAMES)}.")


def _read_variable(path: Path, name: str) -> Any:
    if not h5py.is_hdf5(path):
        return scipy.io.loadmat(path, variable_names=[name])[name]
    with h5py.File(path, "r") as file:
        return np.asarray(file[name]).T
