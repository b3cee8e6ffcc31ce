"""Blur kernels: Gaussian, straight motion, and the camera shakes of Levin et al. Every kernel sums to 1."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets import fetch
from datasets.errors import SuiteError

Kernel = NDArray[np.float64]

LEVIN = "cszn-KAIR/kernels/Levin09.mat"
"""The registry's path of the eight kernels."""
LEVINS = 8
MOST = 129
"""Pixels of a side that a kernel may have."""


def gaussian(width: float) -> Kernel:
    """Return exp(−r²/(2 width²)), sampled at the pixels up to 4 widths from the middle and made to sum to 1."""
    radius = max(1, math.ceil(4 * width))
    r = np.arange(-radius, radius + 1)
    line = np.exp(-(r**2) / (2 * width**2))
    kernel: Kernel = np.outer(line, line) / line.sum() ** 2
    return kernel


def motion(length: float, angle: float) -> Kernel:
    """Return the blur of a straight motion of `length` pixels at `angle` degrees, counter-clockwise from the right.

    The weight of a pixel is max(0, 1 − d), d its distance from the segment of length − 1 around the middle; a length
    of 1 is no blur. Like MATLAB's `fspecial`, but for the pixels at the two ends.
    """
    half, turn = (length - 1) / 2, math.radians(angle)
    along = math.cos(turn), -math.sin(turn)  # rows count downwards
    radius = math.ceil(half)
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float)
    place = np.clip(columns * along[0] + rows * along[1], -half, half)
    distance = np.hypot(columns - place * along[0], rows - place * along[1])
    weight = np.maximum(0, 1 - distance)
    kernel: Kernel = weight / weight.sum()
    return kernel


def levin(number: int) -> Kernel:
    """Return kernel 1 to 8 of the recorded camera shakes, 13 to 27 pixels wide.

    Source: A. Levin, Y. Weiss, F. Durand and W. T. Freeman, "Understanding and Evaluating Blind Deconvolution
    Algorithms", CVPR 2009; the file `Levin09.mat` of github.com/cszn/KAIR.

    Raises:
        SuiteError: the file is not on this machine and cannot be fetched, or is damaged.
    """
    return _levins(fetch.local_path(LEVIN, "kernels"))[number - 1]


@cache
def _levins(file: Path) -> list[Kernel]:
    import h5py  # slow to import, and needed only here

    with h5py.File(file, "r") as matlab:
        cells = matlab["kernels"]
        # MATLAB counts down the columns: the axes of an array are the other way round in HDF5.
        return [np.array(matlab[cell]).T / np.sum(matlab[cell]) for cell in cells[()].ravel()]


def checked(kernel: Kernel, height: int, width: int) -> Kernel:
    """Return a kernel that can blur an image of that size.

    Raises:
        SuiteError: a side of it is even, or longer than the image's.
    """
    rows, columns = kernel.shape
    if rows % 2 == 0 or columns % 2 == 0:
        raise SuiteError(f"the blur kernel is {rows}x{columns} pixels: sides must be odd, so that it has a middle.")
    if rows > height or columns > width:
        raise SuiteError(
            f"the blur kernel is {rows}x{columns} pixels, the image {height}x{width}: take a smaller kernel or larger "
            "images."
        )
    return kernel
