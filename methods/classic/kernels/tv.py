"""Kernels of `tv`: the same arithmetic as its functions on tensors, row by row.

A loop writes one row and reads few others: with more, LLVM gives up telling that they do not overlap and takes single
numbers. Rows are addressed by all indices, since views of rows take long to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

Floats = NDArray[np.floating]


@compiled
def minimise(y: Floats, lam: Any, eps: Any, omega: Any, stop: float, iterations: int, out: Floats) -> int:
    """Minimise ½‖x − y‖² + λ Σ_i √(|∇x|_i² + ε²) by red-black over-relaxation of the lagged fixed point.

    Even and odd columns lie apart, so that the pixels of one colour in a row, and their neighbours, are contiguous:
    pixel (i, 2k + p) is cell (i + 1, p, k + 1), with a margin of cells that no weight leads to. One pass over the
    rows is a sweep: the weights and the red pixels of row i, then the black pixels of row i − 1, whose red neighbours
    are new by then. Row i of the weights is kept at i mod 4.

    Args:
        y: (C,H,W).
        lam, eps, omega: λ ≥ 0, ε > 0 and the factor of over-relaxation in (0,2), scalars of the dtype of y.
        stop: a sweep whose residuals, squared and summed, do not exceed it is the last.
        iterations: at most so many sweeps.
        out: (C,H,W), where the minimiser goes.

    Returns:
        The number of sweeps.
    """
    channels, height, width = y.shape
    half, last, last_cell = (width + 1) >> 1, (width - 1) & 1, (width + 1) >> 1
    zero, one = y.dtype.type(0), y.dtype.type(1)
    known = np.zeros((channels, height + 2, 2, half + 2), y.dtype)
    x = np.zeros((channels, height + 2, 2, half + 2), y.dtype)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                known[c, i + 1, j & 1, (j >> 1) + 1] = y[c, i, j]
                x[c, i + 1, j & 1, (j >> 1) + 1] = y[c, i, j]
    down, right = np.zeros((4, 2, half + 2), y.dtype), np.zeros((4, 2, half + 2), y.dtype)  # weights of the edges
    step = np.zeros((4, 2, half + 2), y.dtype)
    row = np.zeros(half + 2, y.dtype)

    sweeps = 0
    for _ in range(iterations):
        residual = 0.0
        for p in range(2):
            for k in range(half + 2):
                down[3, p, k] = zero  # nothing is over row 0
        for i in range(height + 1):
            if i < height:
                now, before, here, under = i & 3, (i - 1) & 3, i + 1, min(i + 2, height)
                for p in range(2):
                    for k in range(1, half + 1):
                        row[k] = eps * eps
                    for c in range(channels):
                        for k in range(1, half + 1):
                            a = x[c, here, p, k]
                            row[k] += (x[c, under, p, k] - a) ** 2 + (x[c, here, 1 - p, k + p] - a) ** 2
                    if p == last:  # there is nothing to the right of it
                        row[last_cell] = eps * eps
                        for c in range(channels):
                            row[last_cell] += (x[c, under, p, last_cell] - x[c, here, p, last_cell]) ** 2
                    for k in range(1, half + 1):
                        w = lam / np.sqrt(row[k])
                        down[now, p, k] = w
                        right[now, p, k] = w
                right[now, last, last_cell] = zero
                if i == height - 1:
                    for p in range(2):
                        for k in range(half + 2):
                            down[now, p, k] = zero
                for p in range(2):
                    for k in range(1, half + 1):
                        w = down[now, p, k] + down[before, p, k] + right[now, p, k] + right[now, 1 - p, k + p - 1]
                        step[now, p, k] = omega / (one + w)
            for r in range(min(i, height - 1), max(i - 1, 0) - 1, -1):
                p, now, before, here = i & 1, r & 3, (r - 1) & 3, r + 1
                for c in range(channels):
                    for k in range(1, half + 1):
                        a = x[c, here, p, k]
                        row[k] = down[now, p, k] * (x[c, here + 1, p, k] - a)
                        row[k] += down[before, p, k] * (x[c, here - 1, p, k] - a)
                    for k in range(1, half + 1):
                        a = x[c, here, p, k]
                        row[k] += known[c, here, p, k] - a
                        row[k] += right[now, p, k] * (x[c, here, 1 - p, k + p] - a)
                        row[k] += right[now, 1 - p, k + p - 1] * (x[c, here, 1 - p, k + p - 1] - a)
                    total = zero
                    for k in range(1, half + 1):
                        total += row[k] * row[k]
                        x[c, here, p, k] += step[now, p, k] * row[k]
                    residual += float(total)
        sweeps += 1
        if residual <= stop:
            break

    for c in range(channels):
        for i in range(height):
            for j in range(width):
                out[c, i, j] = x[c, i + 1, j & 1, (j >> 1) + 1]
    return sweeps


@compiled
def fixed_point(x: Floats, eps: Any, total: Floats, weighted: Floats) -> None:
    """Set total_i = Σ_j w_ij (1,H,W) and weighted_i = Σ_j w_ij x_j (C,H,W), j the neighbours of pixel i of x."""
    channels, height, width = x.shape
    zero, one = x.dtype.type(0), x.dtype.type(1)
    up, down, w = np.zeros(width, x.dtype), np.zeros(width, x.dtype), np.zeros(width, x.dtype)
    side = np.zeros(width + 1, x.dtype)  # the weight of the edge between columns j − 1 and j
    for i in range(height):
        over, under = max(i - 1, 0), min(i + 1, height - 1)
        for j in range(width):
            w[j] = eps * eps
        for c in range(channels):
            for j in range(width - 1):
                w[j] += (x[c, under, j] - x[c, i, j]) ** 2 + (x[c, i, j + 1] - x[c, i, j]) ** 2
            w[width - 1] += (x[c, under, width - 1] - x[c, i, width - 1]) ** 2
        for j in range(width):
            up[j] = down[j]
            a = one / np.sqrt(w[j])
            down[j] = a
            side[j + 1] = a
        side[width] = zero
        if i == height - 1:
            for j in range(width):
                down[j] = zero
        for j in range(width):
            total[0, i, j] = up[j] + down[j] + side[j] + side[j + 1]
        for c in range(channels):
            for j in range(width):
                weighted[c, i, j] = down[j] * x[c, under, j] + up[j] * x[c, over, j]
            for j in range(width - 1):
                weighted[c, i, j] += side[j + 1] * x[c, i, j + 1]
            for j in range(1, width):
                weighted[c, i, j] += side[j] * x[c, i, j - 1]
