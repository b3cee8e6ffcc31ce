"""The patches that are nearest to reference patches, by loops over the columns of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
BEFORE_ALL = -1.0
"""Less than any squared distance."""


def nearest_patches(image: Floats, rows: Ints, columns: Ints, reach: tuple[int, int], k: int) -> Ints:
    """Return the K nearest 8×8 patches of reference patches, nearest first and the reference before all.

    Args:
        image: (H,W), float32 or float64, finite, C-contiguous.
        rows, columns: int64, places of the reference patches: all pairs of them.
        reach: candidates lie up to so many rows or columns before and after a reference, and in the image. Every
            reference has K of them.

    Returns:
        (G,K) int32; the patch in row i and column j of the (H−7)(W−7) has number i (W − 7) + j.
    """
    offsets = np.arange(-reach[0], reach[1] + 1)
    shifts = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), axis=-1).reshape(-1, 2)
    # From near to far: near patches are alike, and fewer candidates are put in that do not stay.
    shifts = shifts[np.argsort(np.square(shifts).sum(axis=1), kind="stable")][1:]
    found = np.empty((len(rows) * len(columns), k), np.int32)
    compare(image.reshape(-1), image.shape[1], rows, columns, np.ascontiguousarray(shifts), found)
    return found


@compiled
def compare(image: Floats, width: int, rows: Ints, columns: Ints, shifts: Ints, found: Ints) -> None:
    """Find `found` (G,K); the image is flat, and shifts (S,2) are those of candidates, but (0,0)."""
    many, k = len(columns), found.shape[1]
    places = (len(image) // width - 7, width - 7)
    # Unsigned numbers: an index that cannot be negative is not wrapped around, and the loop is vectorised.
    line, one = np.uint64(width), np.uint64(1)
    sums = np.empty(width, image.dtype)
    distances = np.empty((many, k), image.dtype)
    count = np.empty(many, np.int64)
    for r in range(len(rows)):
        row = rows[r]
        for q in range(many):
            found[r * many + q, 0] = row * places[1] + columns[q]
            distances[q, 0] = BEFORE_ALL
            count[q] = 1
        for s in range(len(shifts)):
            dy, dx = shifts[s, 0], shifts[s, 1]
            if row + dy < 0 or row + dy >= places[0] or abs(dx) >= places[1]:
                continue
            left = max(0, -dx)
            there = places[1] - abs(dx)
            a = np.uint64(row * width + left)
            b = np.uint64((row + dy) * width + left + dx)
            for x in range(np.uint64(there + 7)):
                p, q0 = a + x, b + x
                d0 = image[p] - image[q0]
                d1 = image[p + line] - image[q0 + line]
                d2 = image[p + line * np.uint64(2)] - image[q0 + line * np.uint64(2)]
                d3 = image[p + line * np.uint64(3)] - image[q0 + line * np.uint64(3)]
                d4 = image[p + line * np.uint64(4)] - image[q0 + line * np.uint64(4)]
                d5 = image[p + line * np.uint64(5)] - image[q0 + line * np.uint64(5)]
                d6 = image[p + line * np.uint64(6)] - image[q0 + line * np.uint64(6)]
                d7 = image[p + line * np.uint64(7)] - image[q0 + line * np.uint64(7)]
                sums[x] = d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4 + d5 * d5 + d6 * d6 + d7 * d7
            # Sums of 2, 4 and 8 columns, in place: what is read lies ahead of what is written.
            for x in range(np.uint64(there + 6)):
                sums[x] += sums[x + one]
            for x in range(np.uint64(there + 4)):
                sums[x] += sums[x + np.uint64(2)]
            for x in range(np.uint64(there)):
                sums[x] += sums[x + np.uint64(4)]
            for q in range(many):
                c = columns[q] - left
                if c < 0 or c >= there:
                    continue
                distance = sums[c]
                last = count[q]
                if last == k:
                    last = k - 1
                    if distance >= distances[q, last]:
                        continue
                else:
                    count[q] = last + 1
                while distances[q, last - 1] > distance:
                    distances[q, last] = distances[q, last - 1]
                    found[r * many + q, last] = found[r * many + q, last - 1]
                    last -= 1
                distances[q, last] = distance
                found[r * many + q, last] = (row + dy) * places[1] + columns[q] + dx
