"""Sums of non-local means, in tiles of the image that stay in the cache."""

from __future__ import annotations

import math

import numpy as np

from methods.classic.kernels import compiled
from methods.classic.kernels.averages import TILE, Floats, even_columns, powers_of_two

STRIDE = 640
"""From one line of a tile to the next."""


def non_local_sums(
    y: Floats,
    summed: Floats,
    total: Floats,
    sigma: float,
    filtering: float,
    taps: list[float],
    offsets: list[tuple[int, int]],
    tile: tuple[int, int] = TILE,
) -> None:
    """Write Σ_j w_ij y_j and Σ_j w_ij over the j = i ± an offset.

    Args:
        y: (C,H,W), float32 or float64, finite.
        summed, total: the results, (C,H,W) and (H,W) of the same type; zeros before.
        sigma, filtering: σ ≥ 0 and h > 0, in units of y.
        taps: of the patch kernel along an axis, from its middle on: radius + 1 of them, no more than a side of y.
        offsets: one of each opposite pair, (dy,dx) with dy ≥ 0; those with dy = 0 have dx > 0. They `fit`.
        tile: rows and columns, at most; the sums of float32 depend on it by their rounding.
    """
    channels, _, width = y.shape
    places = np.array(offsets, np.int64).reshape(-1, 2)
    kind = y.dtype.type
    kernel = np.zeros(filled(len(taps) - 1) + 1, kind)
    kernel[: len(taps)] = taps
    columns, terms = even_columns(width, tile[1]), powers_of_two(y)
    factor = 1 / math.log(2) / filtering**2
    if len(places):
        add_up(
            y, tuple(range(channels)), places, kernel, kind(factor / channels), kind(2 * sigma**2 * factor), terms,
            tile[0], columns, summed, total,
        )  # fmt: skip


def fits(offsets: list[tuple[int, int]], radius: int) -> bool:
    """Return whether a tile has room for neighbours as far away as these, and for patches of this radius."""
    return TILE[1] + 2 * (max((abs(dx) for _, dx in offsets), default=0) + filled(radius)) <= STRIDE


def filled(radius: int) -> int:
    """Return the radius of the patch kernel with the zeros that the loops want beyond it."""
    return max(4, radius + radius % 2)


@compiled
def mirrored(place, length):
    """Return the index of a place up to `length` − 1 outside the image; farther out any index, for taps of 0."""
    inside = -place if place < 0 else min(place, 2 * (length - 1) - place)
    return max(0, min(inside, length - 1))


@compiled
def across(squares, n, kernel, lines, line):
    """Set lines[line + x] = Σ_t kernel[|t|] squares[x + R + t] for x < n, R = len(kernel) − 1."""
    middle = np.uint64(len(kernel) - 1)
    a, b, c, d, e = kernel[0], kernel[1], kernel[2], kernel[3], kernel[4]
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    for x in range(n):
        m = middle + x
        lines[line + x] = (
            a * squares[m] + b * (squares[m - one] + squares[m + one]) + c * (squares[m - two] + squares[m + two])
        ) + (d * (squares[m - three] + squares[m + three]) + e * (squares[m - four] + squares[m + four]))
    for t in range(5, len(kernel), 2):
        a, b, inner = kernel[t], kernel[t + 1], np.uint64(t)
        for x in range(n):
            m, p = middle + x - inner, middle + x + inner
            lines[line + x] += a * (squares[m] + squares[p]) + b * (squares[m - one] + squares[p + one])


@compiled
def down(lines, row, n, kernel, distances):
    """Set distances[x] = Σ_t kernel[|t|] lines[row + t, x] for x < n; `lines` holds 2R + 1 rows, round and round."""
    rows = 2 * len(kernel) - 1
    stride = np.uint64(STRIDE)
    m = np.uint64(row % rows) * stride
    a, b, c, d, e = kernel[0], kernel[1], kernel[2], kernel[3], kernel[4]
    up1, up2 = np.uint64((row - 1) % rows) * stride, np.uint64((row - 2) % rows) * stride
    up3, up4 = np.uint64((row - 3) % rows) * stride, np.uint64((row - 4) % rows) * stride
    down1, down2 = np.uint64((row + 1) % rows) * stride, np.uint64((row + 2) % rows) * stride
    down3, down4 = np.uint64((row + 3) % rows) * stride, np.uint64((row + 4) % rows) * stride
    for x in range(n):
        distances[x] = (
            a * lines[m + x] + b * (lines[up1 + x] + lines[down1 + x]) + c * (lines[up2 + x] + lines[down2 + x])
        ) + (d * (lines[up3 + x] + lines[down3 + x]) + e * (lines[up4 + x] + lines[down4 + x]))
    for t in range(5, len(kernel), 2):
        a, b = kernel[t], kernel[t + 1]
        up1, up2 = np.uint64((row - t) % rows) * stride, np.uint64((row - t - 1) % rows) * stride
        down1, down2 = np.uint64((row + t) % rows) * stride, np.uint64((row + t + 1) % rows) * stride
        for x in range(n):
            distances[x] += a * (lines[up1 + x] + lines[down1 + x]) + b * (lines[up2 + x] + lines[down2 + x])


@compiled
def add_up(y, channels, offsets, kernel, scale, bias, terms, rows, columns, summed, total):
    """Add Σ_j w_ij y_j and Σ_j w_ij, w_ij = 2^−max(scale d²_ij − bias, 0), to `summed` and `total`.

    Args:
        y, summed: (C,H,W).
        channels: the numbers 0 to C − 1, a tuple: the compiler then knows how many there are.
        offsets: (K,2).
        kernel: taps of the patch kernel from its middle on, an odd number of them, at least 5. d² is summed over the
            channels.
        terms: of the polynomial.
        rows, columns: of a tile.
        total: (H,W).
    """
    _, h, w = y.shape
    kind = y.dtype.type
    count, radius = len(channels), len(kernel) - 1
    below, beside = 0, 0
    for i in range(len(offsets)):
        below, beside = max(below, offsets[i, 0]), max(beside, abs(offsets[i, 1]))
    # One line per row and channel, all STRIDE apart, which is known when this is compiled: so LLVM sees that lines do
    # not overlap, and takes several columns at once.
    pixels = np.empty((rows + below + 2 * radius) * count * STRIDE, y.dtype)
    sums = np.empty((rows + below) * (count + 1) * STRIDE, y.dtype)
    lines = np.empty((2 * radius + 1) * STRIDE, y.dtype)
    squares, weights = np.empty(STRIDE, y.dtype), np.empty(STRIDE, y.dtype)
    zero, half, lowest = kind(0), kind(0.5), kind(-127)
    for top in range(0, h, rows):
        middle = min(h, top + rows)
        bottom = min(h, middle + below)
        for left in range(0, w, columns):
            right = min(w, left + columns)
            first, last = max(0, left - beside), min(w, right + beside)
            for row in range(top - radius, bottom + radius):
                for c in range(count):
                    start = ((row - top + radius) * count + c) * STRIDE
                    for x in range(last - first + 2 * radius):
                        pixels[start + x] = y[c, mirrored(row, h), mirrored(first - radius + x, w)]
            # Unsigned, here and below: an index that cannot be negative is not wrapped around.
            begin, wide = np.uint64(first), np.uint64(last - first)
            for number in range((bottom - top) * (count + 1)):
                to = np.uint64(number * STRIDE)
                for x in range(wide):
                    sums[to + x] = zero
            for i in range(len(offsets)):
                dy, dx = offsets[i]
                start, stop = max(left, -dx), min(right, w - dx)
                if start >= stop:
                    continue
                n = np.uint64(stop - start)
                for row in range(top - radius, min(middle, h - dy) + radius):
                    # The patches of a pixel R rows above are complete when this row is there.
                    here = np.uint64((row - top + radius) * count * STRIDE + start - first)
                    there = np.uint64((row - top + radius + dy) * count * STRIDE + start - first + dx)
                    for x in range(n + np.uint64(2 * radius)):
                        squared = zero
                        for c in range(count):
                            line = np.uint64(c * STRIDE)
                            difference = pixels[here + x + line] - pixels[there + x + line]
                            squared += difference * difference
                        squares[x] = squared
                    across(squares, n, kernel, lines, np.uint64((row - top + radius) % (2 * radius + 1) * STRIDE))
                    centre = row - radius - top
                    if centre < 0:
                        continue
                    down(lines, centre + radius, n, kernel, weights)
                    here = np.uint64((centre + radius) * count * STRIDE + start - first + radius)
                    there = np.uint64((centre + radius + dy) * count * STRIDE + start - first + radius + dx)
                    from_there = np.uint64(centre * (count + 1) * STRIDE + start - first)
                    from_here = np.uint64((centre + dy) * (count + 1) * STRIDE + start - first + dx)
                    for x in range(n):
                        # 2^power is the polynomial at what is left beyond the nearest integer, times a float32 that
                        # is made of its exponent: 0 below 2^−126.
                        power = max(min(bias - weights[x] * scale, zero), lowest)
                        integer = np.int32(power - half)
                        rest = power - kind(integer)
                        value = terms[0]
                        for j in range(1, len(terms)):
                            value = value * rest + terms[j]
                        weight = value * kind(np.int32((integer + np.int32(127)) << np.int32(23)).view(np.float32))
                        weights[x] = weight
                        sums[from_here + x] += weight
                        for c in range(count):
                            line, into = np.uint64(c * STRIDE), np.uint64((c + 1) * STRIDE)
                            sums[from_here + x + into] += weight * pixels[here + x + line]
                    # A loop of its own: in one row the two sums overlap.
                    for x in range(n):
                        sums[from_there + x] += weights[x]
                        for c in range(count):
                            line, into = np.uint64(c * STRIDE), np.uint64((c + 1) * STRIDE)
                            sums[from_there + x + into] += weights[x] * pixels[there + x + line]
            for row in range(top, bottom):
                line = np.uint64((row - top) * (count + 1) * STRIDE)
                for x in range(wide):
                    total[row, begin + x] += sums[line + x]
                for c in range(count):
                    line += np.uint64(STRIDE)
                    for x in range(wide):
                        summed[c, row, begin + x] += sums[line + x]
