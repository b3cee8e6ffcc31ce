"""Telea's inpainting as OpenCV has it for float images, with the weights computed once for all channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

Singles = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

FAR = 1e6
"""The distance of a pixel that the march has not reached."""


@compiled
def distance(unknown: Bytes, t: Singles, i: int, j: int) -> float:
    """Return the solution of |∇T| = 1 at (i,j) from the neighbours that are known, the least of the four quadrants."""
    best = np.inf
    for a in range(i - 1, i + 2, 2):
        for b in range(j - 1, j + 2, 2):
            vertical, horizontal = np.float64(t[a, j]), np.float64(t[i, b])
            if unknown[a, j] and unknown[i, b]:
                found = 1 + (vertical if vertical < horizontal else horizontal)
            elif unknown[i, b]:
                found = 1 + vertical
            elif unknown[a, j]:
                found = 1 + horizontal
            elif abs(vertical - horizontal) >= 1:
                found = 1 + (vertical if vertical < horizontal else horizontal)
            else:
                found = (vertical + horizontal + np.sqrt(2 - (vertical - horizontal) ** 2)) / 2
            if found < best:
                best = found
    return best


@compiled
def push(heap: Ints, size: int, times: Singles, place: int) -> None:
    """Add a place to a heap of `size`: the least time comes out first, and of equal ones the first that went in."""
    # heap[0] are places, heap[1] are the numbers of their entries; heap[1, -1] counts them.
    entry = heap[1, -1]
    heap[1, -1] += 1
    at = size
    while at > 0:
        above = (at - 1) // 2
        if times[heap[0, above]] <= times[place]:
            break
        heap[0, at], heap[1, at] = heap[0, above], heap[1, above]
        at = above
    heap[0, at], heap[1, at] = place, entry


@compiled
def pop(heap: Ints, size: int, times: Singles) -> int:
    """Take the first place out of a heap of `size`."""
    first = heap[0, 0]
    place, entry = heap[0, size - 1], heap[1, size - 1]
    time, at = times[place], 0
    while 2 * at + 1 < size - 1:
        below = 2 * at + 1
        if below + 1 < size - 1:
            left, right = times[heap[0, below]], times[heap[0, below + 1]]
            if right < left or (right == left and heap[1, below + 1] < heap[1, below]):
                below += 1
        other = times[heap[0, below]]
        if time < other or (time == other and entry < heap[1, below]):
            break
        heap[0, at], heap[1, at] = heap[0, below], heap[1, below]
        at = below
    heap[0, at], heap[1, at] = place, entry
    return first


@compiled
def gradient(unknown: Bytes, out: Singles, slopes: Singles, k: int, l: int) -> None:  # noqa: E741
    """Set, of a known pixel, the values of all channels and their differences along the row and along the column.

    Differences to both neighbours count double. In the first row and column they are those of the second, and in the
    last ones they end at the pixel itself, as in OpenCV.
    """
    height, width = unknown.shape[0] - 2, unknown.shape[1] - 2
    row, column = (k - 1 if k > 1 else 1), (l - 1 if l > 1 else 1)
    # Where OpenCV counts from for what lies below and to the right.
    low, right = (k - 1 if k < height else height - 2), (l - 1 if l < width else width - 2)
    for c in range(len(out)):
        x, y = np.float32(0), np.float32(0)
        if not unknown[k, l + 1]:
            if not unknown[k, l - 1]:
                x = 2 * (out[c, row, right + 1] - out[c, row, column - 1])
            else:
                x = out[c, row, right + 1] - out[c, row, column]
        elif not unknown[k, l - 1]:
            x = out[c, row, right] - out[c, row, column - 1]
        if not unknown[k + 1, l]:
            if not unknown[k - 1, l]:
                y = 2 * (out[c, low + 1, column] - out[c, row - 1, column])
            else:
                y = out[c, low + 1, column] - out[c, row, column]
        elif not unknown[k - 1, l]:
            y = out[c, low, column] - out[c, row - 1, column]
        slopes[3 * c, k, l], slopes[3 * c + 1, k, l], slopes[3 * c + 2, k, l] = out[c, k - 1, l - 1], x, y


@compiled
def march_outside(unknown: Bytes, t: Singles, heap: Ints, size: int, outside: Bytes) -> None:
    """Give the pixels that are marked in outside, around the boundary, minus their distances from it.

    The heap holds `size` pixels of the boundary, at distance 0.
    """
    width = t.shape[1]
    flat = t.ravel()
    while size > 0:
        place = pop(heap, size, flat)
        size -= 1
        for step in (-width, -1, width, 1):
            i, j = (place + step) // width, (place + step) % width
            if i > 0 and j > 0 and i < t.shape[0] and j < width and outside[i, j]:
                t[i, j] = distance(outside, t, i, j)
                outside[i, j] = 0
                push(heap, size, flat, i * width + j)
                size += 1
                # What has been reached changes its sign at the end: the march goes upwards.
                unknown[i, j] = 2
    for i in range(t.shape[0]):
        for j in range(width):
            if unknown[i, j] == 2:
                unknown[i, j], t[i, j] = 0, -t[i, j]


@compiled
def fill(
    out: Singles, unknown: Bytes, t: Singles, heap: Ints, size: int, slopes: Singles, known: Singles, dots: Singles
) -> None:
    """Fill the unknown pixels in the order of their distance from the boundary.

    Args:
        out: (C,H,W), all channels on the scale 0 to 255.
        unknown, t: (H+2,W+2), the image within a border that is known.
        heap: holds `size` pixels of the boundary.
        slopes: (3C,H+2,W+2): of each channel the value and the two differences.
        known: (H+2,W+2), 1 where a pixel is known and inside the image.
        dots: (2r+1,2r+1), 1/∣r∣³ in a disc and 0 outside.
    """
    height, width = t.shape
    reach, channels = len(dots) // 2, len(out)
    flat = t.ravel()
    sums = np.zeros((channels, 3), np.float32)
    weights = np.zeros(2 * reach + 1, np.float32)
    while size > 0:
        place = pop(heap, size, flat)
        size -= 1
        for step in (-width, -1, width, 1):
            i, j = (place + step) // width, (place + step) % width
            if not unknown[i, j]:
                continue
            t[i, j] = distance(unknown, t, i, j)
            left, right = not unknown[i, j - 1], not unknown[i, j + 1]
            above, below = not unknown[i - 1, j], not unknown[i + 1, j]
            tx = (t[i, j + 1] if right else t[i, j]) - (t[i, j - 1] if left else t[i, j])
            ty = (t[i + 1, j] if below else t[i, j]) - (t[i - 1, j] if above else t[i, j])
            if left and right:
                tx *= np.float32(0.5)
            if above and below:
                ty *= np.float32(0.5)
            sums[:] = 0
            total = np.float32(1e-20)
            time = t[i, j]
            first, last = max(j - reach, 1), min(j + reach, width - 2)
            for k in range(max(i - reach, 1), min(i + reach, height - 2) + 1):
                line, table, times = known[k, first : last + 1], dots[k - i + reach, first - j + reach :], t[k, first:]
                along = np.float32(i - k) * ty
                for n in range(last + 1 - first):
                    direction = abs(np.float32(j - first - n) * tx + along)
                    direction = direction if direction > np.float32(0.01) else np.float32(1e-6)
                    level = np.float32(1) / (np.float32(1) + abs(times[n] - time))
                    weights[n] = line[n] * table[n] * level * direction
                for n in range(last + 1 - first):
                    total += weights[n]
                for c in range(channels):
                    value, x, y = slopes[3 * c, k, first:], slopes[3 * c + 1, k, first:], slopes[3 * c + 2, k, first:]
                    a, b, d = np.float32(0), np.float32(0), np.float32(0)
                    for n in range(last + 1 - first):
                        a += weights[n] * value[n]
                        b += weights[n] * x[n] * np.float32(j - first - n)
                        d += weights[n] * y[n]
                    sums[c, 0] += a
                    sums[c, 1] -= b
                    sums[c, 2] -= d * np.float32(i - k)
            for c in range(channels):
                x, y = sums[c, 1], sums[c, 2]
                slope = (x + y) / (np.sqrt(x * x + y * y) + np.float32(1e-20))
                out[c, i - 1, j - 1] = sums[c, 0] / total + slope
            unknown[i, j], known[i, j] = 0, 1
            for k in range(max(i - 1, 1), min(i + 1, height - 2) + 1):
                for l in range(max(j - 1, 1), min(j + 1, width - 2) + 1):  # noqa: E741
                    if not unknown[k, l]:
                        gradient(unknown, out, slopes, k, l)
            push(heap, size, flat, i * width + j)
            size += 1


@compiled
def start(unknown: Bytes, t: Singles, heap: Ints) -> int:
    """Put the known pixels beside the hole into the heap, row by row, at distance 0; return how many there are."""
    height, width = t.shape
    size = 0
    heap[1, -1] = 0
    flat = t.ravel()
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            if not unknown[i, j] and (unknown[i - 1, j] or unknown[i, j - 1] or unknown[i, j + 1] or unknown[i + 1, j]):
                t[i, j] = 0
                push(heap, size, flat, i * width + j)
                size += 1
    return size


@compiled
def prepare(out: Singles, unknown: Bytes, slopes: Singles, known: Singles) -> None:
    """Set the slopes of all known pixels of the image."""
    for i in range(1, unknown.shape[0] - 1):
        for j in range(1, unknown.shape[1] - 1):
            if not unknown[i, j]:
                known[i, j] = 1
                gradient(unknown, out, slopes, i, j)


def telea(image: NDArray[np.floating], hole: NDArray[np.bool_], radius: int) -> Singles:
    """Return an image (C,H,W), H and W at least 3, on the scale 0 to 255, with its hole (H,W) filled."""
    from scipy.ndimage import binary_dilation

    out = np.ascontiguousarray(image, np.float32).copy()
    unknown = np.pad(hole, 1).astype(np.uint8)
    t = np.full(unknown.shape, FAR, np.float32)
    heap = np.zeros((2, unknown.size + 1), np.int64)
    size = start(unknown, t, heap)
    # The ring of known pixels as wide as the means look, the boundary left out.
    ring = binary_dilation(hole, np.ones((2 * radius + 1, 1)))
    ring = np.pad(binary_dilation(ring, np.ones((1, 2 * radius + 1))) & ~hole, 1) & (t != 0)
    march_outside(unknown, t, heap, size, ring.astype(np.uint8))
    size = start(unknown, t, heap)
    slopes = np.zeros((3 * len(out), *t.shape), np.float32)
    known = np.zeros(t.shape, np.float32)
    prepare(out, unknown, slopes, known)
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    squared = (rows**2 + columns**2).astype(np.float64)
    inside = (squared > 0) & (squared <= radius**2)
    dots = np.where(inside, np.where(inside, squared, 1) ** -1.5, 0).astype(np.float32)
    fill(out, unknown, t, heap, size, slopes, known, dots)
    return out
