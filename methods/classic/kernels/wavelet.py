"""Wavelet shrinkage of planes, all starts of the transform in turn, in the memory of one transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

GROUP = 8
"""Rows that are added up at once: the taps of a filter are filled up with zeros to a multiple."""


def analysis_taps(filters: tuple[list[float], ...], dtype: np.dtype) -> Floats:
    """Return the taps (2,G,8) with c_f[k] = Σ_t taps[f].ravel()[t] x[2k + t], x continued by L − 2 on the left."""
    taps = np.zeros((2, -(-len(filters[0]) // GROUP) * GROUP), dtype)
    taps[:, : len(filters[0])] = np.array(filters)[:, ::-1]
    return taps.reshape(2, -1, GROUP)


def synthesis_taps(filters: tuple[list[float], ...], dtype: np.dtype) -> Floats:
    """Return the taps (2,G,8) with x[2m + p] = Σ_g Σ_{i<4} taps[p,g,i] c_0[m+4g+i] + taps[p,g,4+i] c_1[m+4g+i]."""
    length, half = len(filters[0]), GROUP // 2
    groups = -(-length // GROUP)
    taps = np.zeros((2, 2, groups * half), dtype)  # parity, filter, i
    taps[:, :, : length // 2] = np.array(filters)[:, ::-1].reshape(2, -1, 2).transpose(2, 0, 1)[::-1]
    return np.ascontiguousarray(taps.reshape(2, 2, groups, half).swapaxes(1, 2)).reshape(2, groups, GROUP)


def layout(height: int, width: int, levels: int, last: int, taps: Floats, length: int) -> tuple[Ints, Ints, int]:
    """Return where in memory things lie.

    Args:
        height, width: of the plane.
        last: the largest shift, in pixels.
        taps: of the analysis, with filters of this length.

    Returns:
        places (levels + 1, 3): of each level its filtered rows (h,2m), its subbands (2k,2m) and its joined columns
            (h,2m); in the last row, room for one row, and the result (H,W).
        sizes (levels + 1, 2): (H,W), then (k,m), those of the subbands of levels 1, 2, …
        the length of memory.
    """
    sizes = np.zeros((levels + 1, 2), np.int64)
    sizes[0] = height, width
    for level in range(levels):
        sizes[level + 1] = (sizes[level] + (last if level == 0 else 0) + length - 1) // 2
    places = np.zeros((levels + 1, 3), np.int64)
    end = height * width

    def take(count: int) -> int:
        nonlocal end
        end += count
        return end - count

    deep = 0
    for level in range(levels):
        rows, subbands = int(sizes[level, 0] * 2 * sizes[level + 1, 1]), int(4 * sizes[level + 1].prod())
        if level == 0:  # what all shifts of rows share must last; the deeper levels use one place after another
            places[level] = take(rows), take(subbands), take(rows)
        else:
            deep = deep or take(rows)
            places[level] = deep, take(subbands), deep
    slack = 4 * taps.shape[1] + 16  # taps of zero read there
    places[levels, :2] = take(2 * int(sizes[1, 1]) + 8 * taps.shape[1] + slack), take(height * width)
    return places, sizes, end + slack


def continued(axis: int, sizes: Ints, shifts: Ints, groups: int, length: int) -> Ints:
    """Return where the pixels of lines lie that are continued by reflection; see rows and columns of `shrink`."""

    def reflected(at: Ints, size: int) -> Ints:
        at = at % (2 * size)
        return np.where(at < size, at, 2 * size - 1 - at)

    lines = []
    for level in range(len(sizes) - 1):
        size = int(sizes[level, axis])
        at = np.arange(2 * sizes[level + 1, axis] + 8 * groups) - (length - 2)
        if level == 0:  # the filters reflect the padded line, whose padding is a reflection
            lines += [reflected(reflected(at, size + int(shifts[-1])) - shift, size) for shift in shifts]
        else:
            lines.append(reflected(at, size))
    table = np.zeros((len(lines), max(map(len, lines))), np.int64)
    for row, line in zip(table, lines, strict=True):
        row[: len(line)] = line if axis == 0 else np.concatenate([line[0::2], line[1::2]])
    return table


def denoised(
    planes: Floats, variances: NDArray[np.float64], filters: tuple[list[float], ...], levels: int, shifts: Ints
) -> Floats:
    """Return planes (P,H,W) of noise variances (P) after soft thresholding, the mean over shifts² transforms.

    Args:
        filters: low and high of the analysis, then of the synthesis.
        shifts: of the transform's start, from 0 upwards.
    """
    length, (height, width) = len(filters[0]), planes.shape[1:]
    analysis, synthesis = analysis_taps(filters[:2], planes.dtype), synthesis_taps(filters[2:], planes.dtype)
    places, sizes, needed = layout(height, width, levels, int(shifts[-1]), analysis, length)
    rows, columns = (continued(axis, sizes, shifts, analysis.shape[1], length) for axis in (0, 1))
    memory, starts, out = np.zeros(needed, planes.dtype), np.zeros(GROUP, np.int64), np.empty_like(planes)
    result = places[levels, 1]
    for plane, variance, image in zip(planes, variances, out, strict=True):
        memory[: plane.size] = plane.ravel()
        shrink(memory, places, sizes, shifts, rows, columns, starts, analysis, synthesis, float(variance))
        image[:] = memory[result : result + plane.size].reshape(plane.shape)
    return out


@compiled
def blend(memory: Floats, out: int, n: int, starts: Ints, taps: Floats, keep: np.floating) -> None:
    """Set y = keep·y + Σ_t taps[t] memory[starts[t] : starts[t] + n], t < 8, where y = memory[out : out + n]."""
    # One output and eight inputs: with more, LLVM gives up telling that they do not overlap and takes single numbers.
    y = memory[out : out + n]
    a, b = memory[starts[0] : starts[0] + n], memory[starts[1] : starts[1] + n]
    c, d = memory[starts[2] : starts[2] + n], memory[starts[3] : starts[3] + n]
    e, f = memory[starts[4] : starts[4] + n], memory[starts[5] : starts[5] + n]
    g, h = memory[starts[6] : starts[6] + n], memory[starts[7] : starts[7] + n]
    p, q, r, s, t, u, v, w = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5], taps[6], taps[7]
    for i in range(n):
        y[i] = keep * y[i] + (p * a[i] + q * b[i] + r * c[i] + s * d[i] + t * e[i] + u * f[i] + v * g[i] + w * h[i])


@compiled
def threshold(memory: Floats, start: int, stride: int, k: int, m: int, variance: float) -> None:
    """Threshold a band (k,m) softly at T = σ²/√max(mean(c²) − σ², 0)."""
    energy = 0.0
    for i in range(k):
        band = memory[start + i * stride : start + i * stride + m]
        total = band[0] * band[0]
        for j in range(1, m):
            total += band[j] * band[j]
        energy += total
    signal = energy / (k * m) - variance
    # No coefficient is as large as 1e30: the band becomes zeros.
    limit = memory.dtype.type(variance / np.sqrt(signal) if variance < 1e30 * signal else 1e30)
    for i in range(k):
        band = memory[start + i * stride : start + i * stride + m]
        for j in range(m):
            c = band[j]
            inside = c if c < limit else limit
            band[j] = c - (inside if inside > -limit else -limit)


@compiled
def shrink(
    memory: Floats, places: Ints, sizes: Ints, shifts: Ints, rows: Ints, columns: Ints, starts: Ints,
    analysis: Floats, synthesis: Floats, variance: float,
) -> None:  # fmt: skip
    """Denoise one plane (H,W): the first numbers of memory; all others are finite.

    Args:
        memory, places, sizes: see `layout`.
        shifts: in pixels, S.
        rows: where the pixels of a continued column lie: of level 1 for each of the S shifts, then of levels 2, 3, …
        columns: the same for rows, even places first.
        starts: room for 8 numbers.
        analysis, synthesis: taps.
        variance: σ².
    """
    kind = memory.dtype.type
    groups, levels, count = analysis.shape[1], len(places) - 1, len(shifts)
    room, result = places[levels, 0], places[levels, 1]
    for b in range(count):
        for a in range(count):
            for level in range(levels):
                k, m = sizes[level + 1, 0], sizes[level + 1, 1]
                filtered, bands = places[level, 0], places[level, 1]
                half = m + 4 * groups
                # The shift of rows changes nothing in how level 1 filters them: that is done once for all of them.
                if level > 0 or a == 0:
                    source, stride = (places[level - 1, 1], 2 * sizes[level, 1]) if level > 0 else (0, sizes[0, 1])
                    line = count + level - 1 if level > 0 else b
                    for i in range(sizes[level, 0]):
                        for j in range(2 * half):
                            memory[room + j] = memory[source + i * stride + columns[line, j]]
                        for f in range(2):
                            for g in range(groups):
                                for t in range(8):
                                    starts[t] = room + (t % 2) * half + 4 * g + t // 2
                                keep = kind(1 if g > 0 else 0)
                                blend(memory, filtered + (2 * i + f) * m, m, starts, analysis[f, g], keep)
                line = count + level - 1 if level > 0 else a
                for f in range(2):
                    for i in range(k):
                        for g in range(groups):
                            for t in range(8):
                                starts[t] = filtered + rows[line, 2 * i + 8 * g + t] * 2 * m
                            keep = kind(1 if g > 0 else 0)
                            blend(memory, bands + (f * k + i) * 2 * m, 2 * m, starts, analysis[f, g], keep)
                    for quarter in range(1 - f, 2):
                        threshold(memory, bands + (2 * f * k + quarter) * m, 2 * m, k, m, variance)
            for level in range(levels - 1, -1, -1):
                k, m = sizes[level + 1, 0], sizes[level + 1, 1]
                bands, joined = places[level, 1], places[level, 2]
                shift = shifts[a] if level == 0 else 0
                for i in range(sizes[level, 0]):
                    row = i + shift
                    for g in range(groups):
                        for t in range(8):
                            # The last row stands for those beyond it: their taps are zeros.
                            at = row // 2 + 4 * g + t % 4
                            starts[t] = bands + ((t // 4) * k + (at if at < k else k - 1)) * 2 * m
                        keep = kind(1 if g > 0 or (level == 0 and a > 0) else 0)
                        blend(memory, joined + i * 2 * m, 2 * m, starts, synthesis[row % 2, g], keep)
                # Nor does it change how they are joined: that is done once for their sum.
                if level > 0 or a == count - 1:
                    target, stride = (places[level - 1, 1], 2 * sizes[level, 1]) if level > 0 else (result, sizes[0, 1])
                    width, shift = sizes[level, 1], shifts[b] if level == 0 else 0
                    half = (width + shift + 1) // 2
                    scale = kind(1 / count**2 if level == 0 else 1)
                    keep = kind(1 if level == 0 and b > 0 else 0)
                    for i in range(sizes[level, 0]):
                        for f in range(2):
                            for g in range(groups):
                                for t in range(8):
                                    starts[t] = joined + (2 * i + t // 4) * m + 4 * g + t % 4
                                blend(memory, room + f * half, half, starts, synthesis[f, g], kind(1 if g > 0 else 0))
                        for f in range(2):
                            start = room + ((f + shift) % 2) * half + (f + shift) // 2
                            out = target + i * stride + f
                            for j in range((width + 1 - f) // 2):
                                memory[out + 2 * j] = keep * memory[out + 2 * j] + scale * memory[start + j]
