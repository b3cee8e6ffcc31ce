"""NumPy's .npy files."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.lib import format as npy

from datasets.formats.pixels import Refused, check_numbers, check_size, composed


def read(data: bytes) -> np.ndarray:
    """Return the pixels (H,W,C) float32 in [0,1] of an array (H,W), (H,W,1) or (H,W,3).

    Raises:
        Refused: it is not one array of such a shape and of numbers that `composed` takes, or bytes are missing.
    """
    stream = io.BytesIO(data)
    try:
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(stream)]
        shape, fortran, dtype = read_header(stream)
    except Exception as error:  # NumPy evaluates the header as Python: a broken one fails in any way
        raise Refused("is not a readable .npy file of numbers: save it again with numpy.save") from error
    if dtype.hasobject:
        raise Refused("is not a readable .npy file of numbers: it holds Python objects; save numbers with numpy.save")
    if len(shape) not in (2, 3) or min(shape) < 0 or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise Refused(f"has shape {_short(shape)}: save one array (H,W), (H,W,1) or (H,W,3)")
    check_numbers(dtype)
    check_size(shape[1], shape[0])
    declared, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if there < declared:
        raise Refused(f"is truncated, {there} of the {declared} bytes of shape {shape}: copy or download it again")
    if there > declared:
        raise Refused(f"holds {there - declared} bytes behind its array: save one array with numpy.save")
    array = np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    return composed(np.atleast_3d(array))


def _short(shape: tuple[int, ...]) -> str:
    return str(shape) if len(str(shape)) <= 60 else f"of {len(shape)} axes"
