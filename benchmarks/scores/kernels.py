"""Sums over windows and pixels that numba compiles; they are rounded as those of the metrics' tensors are."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]

BLOCK = 256
"""As many squares of differences of levels have a sum that single precision holds exactly: 256·255² < 2²⁴."""

contracted = partial(compiled, freedom={"contract"})
exact = partial(compiled, freedom=False)


@compiled
def squared_error(reference: Floats, image: Floats) -> np.float64:
    """Return Σ ([255 x] − [255 r])² over all pixels, exact; reference r (P) and image x (P) are multiples of 1/255."""
    total = np.float64(0)
    scale = image.dtype.type(255)
    for start in range(0, len(image), BLOCK):
        a, b = reference[start : start + BLOCK], image[start : start + BLOCK]
        part = image.dtype.type(0)
        for i in range(len(b)):
            difference = np.rint(b[i] * scale) - np.rint(a[i] * scale)
            part += difference * difference
        total += part
    return total


@contracted
def column_means(plane: Doubles, top: int, weights: Doubles, out: Doubles) -> None:
    """Set out (W) to Σ_t weights[t] plane[top + t]."""
    width = plane.shape[1]
    for j in range(width):
        out[j] = plane[top, j] * weights[0]
    for t in range(1, len(weights)):
        weight = weights[t]
        for j in range(width):
            out[j] += plane[top + t, j] * weight


@contracted
def row_means(line: Doubles, weights: Doubles, out: Doubles) -> None:
    """Set out (W − K + 1) to Σ_t weights[t] line[t : t + W − K + 1]."""
    length = len(line) - len(weights) + 1
    for j in range(length):
        out[j] = line[j] * weights[0]
    for t in range(1, len(weights)):
        weight = weights[t]
        for j in range(length):
            out[j] += line[j + t] * weight


@exact
def moments_row(mean: Doubles, square: Doubles, factor: float) -> None:
    """Turn the means of y² into variances."""
    for j in range(len(mean)):
        square[j] = (square[j] - mean[j] * mean[j]) * factor


@contracted
def multiply_add(a: float, b: float, c: float) -> float:
    """Return a·b + c."""
    return a * b + c


@exact
def similarity_row(
    mean_x: Doubles, square_x: Doubles, product: Doubles, mean_y: Doubles, variance_y: Doubles, factor: float,
    c1: float, c2: float,
) -> None:  # fmt: skip
    """Turn the means of x·y into local similarities."""
    for j in range(len(product)):
        mean_xx, mean_xy = mean_x[j] * mean_x[j], mean_x[j] * mean_y[j]
        variance_x, covariance = (square_x[j] - mean_xx) * factor, (product[j] - mean_xy) * factor
        top = (2 * mean_xy + c1) * (2 * covariance + c2)
        bottom = (multiply_add(mean_y[j], mean_y[j], mean_xx) + c1) * (variance_x + variance_y[j] + c2)
        product[j] = top / bottom


@contracted
def moments(planes: Floats, weights: Doubles, factor: float, means: Doubles, variances: Doubles) -> None:
    """Set the local means and variances (P,H−K+1,W−K+1) of planes (P,H,W) under a window of K×K."""
    count, height, width = planes.shape
    y, yy, line = np.empty((height, width)), np.empty((height, width)), np.empty(width)
    for p in range(count):
        for i in range(height):
            for j in range(width):
                y[i, j] = planes[p, i, j]
                yy[i, j] = y[i, j] * y[i, j]
        for i in range(height - len(weights) + 1):
            column_means(y, i, weights, line)
            row_means(line, weights, means[p, i])
            column_means(yy, i, weights, line)
            row_means(line, weights, variances[p, i])
            moments_row(means[p, i], variances[p, i], factor)


@contracted
def similarities(
    planes: Floats, references: Floats, means: Doubles, variances: Doubles, weights: Doubles, factor: float,
    c1: float, c2: float, out: Doubles,
) -> None:  # fmt: skip
    """Set the local similarities (P,h,w) of planes (P,H,W) with references of these local means and variances."""
    count, height, width = planes.shape
    x, xx, xy = np.empty((height, width)), np.empty((height, width)), np.empty((height, width))
    line, mean, square = np.empty(width), np.empty(means.shape[2]), np.empty(means.shape[2])
    for p in range(count):
        for i in range(height):
            for j in range(width):
                x[i, j] = planes[p, i, j]
                xx[i, j] = x[i, j] * x[i, j]
                xy[i, j] = x[i, j] * references[p, i, j]
        for i in range(height - len(weights) + 1):
            column_means(x, i, weights, line)
            row_means(line, weights, mean)
            column_means(xx, i, weights, line)
            row_means(line, weights, square)
            column_means(xy, i, weights, line)
            row_means(line, weights, out[p, i])
            similarity_row(mean, square, out[p, i], means[p, i], variances[p, i], factor, c1, c2)
