"""Sums of the bilateral filter, in tiles of the image that stay in the cache."""

from __future__ import annotations

import math

import numpy as np

from methods.classic.kernels import compiled
from methods.classic.kernels.averages import TILE, Floats, even_columns, powers_of_two

STRIDE = 512
"""From one line of a tile to the next."""


def bilateral_sums(
    y: Floats,
    summed: Floats,
    total: Floats,
    spatial: float,
    colour: float,
    offsets: list[tuple[int, int]],
    tile: tuple[int, int] = TILE,
) -> None:
    """Write Σ_j w_ij y_j and Σ_j w_ij over the j = i ± an offset.

    Args:
        y: (C,H,W), float32 or float64, finite.
        summed, total: the results, (C,H,W) and (H,W) of the same type; zeros before.
        spatial, colour: s in pixels and r in units of y, positive.
        offsets: one of each opposite pair, (dy,dx) with dy ≥ 0; those with dy = 0 have dx > 0. They `fit`.
        tile: rows and columns, at most; the sums of float32 depend on it by their rounding.
    """
    channels, _, width = y.shape
    places = np.array(offsets, np.int64).reshape(-1, 2)
    kind = y.dtype.type
    near = np.array([-0.5 / math.log(2) * (dy * dy + dx * dx) / spatial**2 for dy, dx in offsets], kind)
    columns, terms = even_columns(width, tile[1]), powers_of_two(y)
    factor = kind(0.5 / math.log(2) / colour**2)
    if len(places):
        add_up(y, tuple(range(channels)), places, near, factor, terms, tile[0], columns, summed, total)


def fits(offsets: list[tuple[int, int]]) -> bool:
    """Return whether a tile has room for neighbours as far away as these."""
    return TILE[1] + 2 * max((abs(dx) for _, dx in offsets), default=0) <= STRIDE


@compiled
def add_up(y, channels, offsets, near, factor, terms, rows, columns, summed, total):
    """Add Σ_j w_ij y_j and Σ_j w_ij, w_ij = 2^(near − factor (Σ_c |y_ci − y_cj|)²), to `summed` and `total`.

    Args:
        y, summed: (C,H,W).
        channels: the numbers 0 to C − 1, a tuple: the compiler then knows how many there are.
        offsets, near: (K,2) and (K,).
        terms: of the polynomial.
        rows, columns: of a tile.
        total: (H,W).
    """
    _, h, w = y.shape
    kind = y.dtype.type
    count = len(channels)
    below, beside = 0, 0
    for i in range(len(offsets)):
        below, beside = max(below, offsets[i, 0]), max(beside, abs(offsets[i, 1]))
    # One line per row and channel, all STRIDE apart, which is known when this is compiled: so LLVM sees that lines do
    # not overlap, and takes several columns at once.
    pixels = np.empty((rows + below) * count * STRIDE, y.dtype)
    sums = np.empty((rows + below) * (count + 1) * STRIDE, y.dtype)
    own = np.empty((count + 1) * STRIDE, y.dtype)
    zero, half, lowest = kind(0), kind(0.5), kind(-127)
    for top in range(0, h, rows):
        middle = min(h, top + rows)
        bottom = min(h, middle + below)
        for left in range(0, w, columns):
            right = min(w, left + columns)
            first, last = max(0, left - beside), min(w, right + beside)
            # Unsigned, here and below: an index that cannot be negative is not wrapped around.
            begin, wide = np.uint64(first), np.uint64(last - first)
            for row in range(top, bottom):
                for c in range(count):
                    to = np.uint64(((row - top) * count + c) * STRIDE)
                    for x in range(wide):
                        pixels[to + x] = y[c, row, begin + x]
            for number in range((bottom - top) * (count + 1)):
                to = np.uint64(number * STRIDE)
                for x in range(wide):
                    sums[to + x] = zero
            for row in range(top, middle):
                # The sums of this row apart from those of its neighbours, which may be in the same row.
                for c in range(count + 1):
                    to = np.uint64(c * STRIDE)
                    for x in range(wide):
                        own[to + x] = zero
                for i in range(len(offsets)):
                    dy, dx = offsets[i]
                    start, stop = max(left, -dx), min(right, w - dx)
                    if row + dy >= h or start >= stop:
                        continue
                    here = np.uint64((row - top) * count * STRIDE + start - first)
                    there = np.uint64((row - top + dy) * count * STRIDE + start - first + dx)
                    from_here = np.uint64((row - top + dy) * (count + 1) * STRIDE + start - first + dx)
                    from_there = np.uint64(start - first)
                    for x in range(np.uint64(stop - start)):
                        apart = zero
                        for c in range(count):
                            line = np.uint64(c * STRIDE)
                            apart += abs(pixels[here + x + line] - pixels[there + x + line])
                        # 2^power is the polynomial at what is left beyond the nearest integer, times a float32 that
                        # is made of its exponent: 0 below 2^−126.
                        power = max(near[i] - apart * apart * factor, lowest)
                        integer = np.int32(power - half)
                        rest = power - kind(integer)
                        value = terms[0]
                        for j in range(1, len(terms)):
                            value = value * rest + terms[j]
                        weight = value * kind(np.int32((integer + np.int32(127)) << np.int32(23)).view(np.float32))
                        sums[from_here + x] += weight
                        own[from_there + x] += weight
                        for c in range(count):
                            line, into = np.uint64(c * STRIDE), np.uint64((c + 1) * STRIDE)
                            sums[from_here + x + into] += weight * pixels[here + x + line]
                            own[from_there + x + into] += weight * pixels[there + x + line]
                for c in range(count + 1):
                    into, line = np.uint64(((row - top) * (count + 1) + c) * STRIDE), np.uint64(c * STRIDE)
                    for x in range(wide):
                        sums[into + x] += own[line + x]
            for row in range(top, bottom):
                line = np.uint64((row - top) * (count + 1) * STRIDE)
                for x in range(wide):
                    total[row, begin + x] += sums[line + x]
                for c in range(count):
                    line += np.uint64(STRIDE)
                    for x in range(wide):
                        summed[c, row, begin + x] += sums[line + x]
