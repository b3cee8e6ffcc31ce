"""Shrinkage of groups of similar patches, with the coefficients of no more rows of patches than a window has."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from methods.classic.kernels import compiled

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]


def filter_groups(
    planes: Floats,
    level: float,
    found: Ints,
    rows: Ints,
    reach: tuple[int, int],
    transform: Floats,
    window: Floats,
    correlations: Floats | None,
) -> tuple[Floats, Floats]:
    """Return one channel filtered, (H,W), and the weights (G) of the groups.

    Args:
        planes: (1,H,W), y, whose small 3-D coefficients are removed, or (2,H,W), y and a first estimate p for the
            Wiener filter; float32 or float64, finite, C-contiguous.
        level: of the noise: coefficients with variance v are kept if their square is at least level · v, or
            multiplied by 1 − level · v / (|p|² + level · v).
        found: (G,K) int32, numbers of patches as `nearest_patches` returns them, K a power of two.
        rows: of the reference patches, ascending; every row has equally many groups.
        reach: rows from a reference to its farthest patches, before and after it.
        transform: (8,8) of a patch, one basis vector per row.
        window: (8) of a patch.
        correlations: (8,8,64), see `methods.classic._patches.overlap_correlations`; None: all variances are 1.
    """
    kind, k = planes.dtype, found.shape[1]
    inverse = np.linalg.inv(transform.astype(np.float64)) * window[:, None]
    order, halves, shared = bit_reversed(k), blocks_apart(k), _flat(correlations, kind)
    numbers, room = np.array([0, 1, 0.5**0.5, level, np.finfo(kind).tiny], kind), np.empty((4, 64 * k), kind)
    weights = np.empty(len(found), kind)

    def filtered(part: slice, tables: Floats, added: Floats, mass: Floats) -> None:
        places = np.divmod(found[part], planes.shape[2] - 7)
        shrink(tables, numbers, found[part], *places, order, halves, shared, room, added, mass, weights[part])

    return _by_rows(planes, rows, len(found), reach, transform, inverse, window, filtered), weights


def map_reliance(
    estimate: Floats,
    level: float,
    found: Ints,
    rows: Ints,
    reach: tuple[int, int],
    transform: Floats,
    window: Floats,
    correlations: Floats,
    weights: Floats,
) -> Floats:
    """Return φ per pixel of one channel, (H,W), as `PatchGroups.pixel_map` does, without keeping φ.

    Args:
        estimate: p, (1,H,W).
        weights: (G) of the groups.

    The others are those of `filter_groups`; φ = level · v / (|p|² + level · v).
    """
    kind, k = estimate.dtype, found.shape[1]
    inverse = np.linalg.inv(transform.astype(np.float64)) ** 2 * window[:, None]
    order, halves, shared = bit_reversed(k), blocks_apart(k), _flat(correlations, kind)
    numbers, room = np.array([0, 1, 0.5**0.5, level, np.finfo(kind).tiny], kind), np.empty((3, 64 * k), kind)

    def mapped(part: slice, tables: Floats, added: Floats, mass: Floats) -> None:
        places = np.divmod(found[part], estimate.shape[2] - 7)
        rely(tables[0], numbers, found[part], *places, order, halves, shared, room, weights[part], added, mass)

    return _by_rows(estimate, rows, len(found), reach, transform, inverse, window, mapped)


def _flat(correlations: Floats | None, kind: np.dtype[np.floating]) -> Floats:
    """Correlations as `shrink` and `rely` take them: the coefficients of a patch have rows and columns exchanged."""
    if correlations is None:
        return np.empty(0, kind)
    return correlations.reshape(64, 8, 8).swapaxes(1, 2).astype(kind).reshape(-1)


def _by_rows(
    planes: Floats,
    rows: Ints,
    groups: int,
    reach: tuple[int, int],
    transform: Floats,
    inverse: Floats,
    window: Floats,
    work: Callable[[slice, Floats, Floats, Floats], None],
) -> Floats:
    """Return the weighted mean (H,W) of the patches that `work` makes of all groups, one row of references at a time.

    Args:
        groups: G.
        inverse: (8,8), what is done along a side of a patch on the way back, with the window.
        work: takes the groups of a row, the tables of coefficients, and the two tables that it adds to.
    """
    kind, (height, width) = planes.dtype, planes.shape[1:]
    places = width - 7
    forward, window = np.ascontiguousarray(transform.T).astype(kind), window.astype(kind)
    inverse = inverse.astype(kind)
    # Row i of patches is kept as row i mod `held`.
    held = reach[0] + reach[1] + 1
    tables = np.empty((len(planes), held, places * 64), kind)
    added, mass = np.empty((held, places * 64), kind), np.empty((held, places), kind)
    columns, across = np.empty(8 * width, kind), np.empty((8, width), kind)
    sums, total = np.zeros((2, height, width), kind)
    per_row = groups // len(rows)
    made = done = 0

    # Rows of patches enter the tables when the first reference sees them, and leave when the last one has.
    for r, row in enumerate(rows.tolist()):
        while done < row - reach[0]:
            synthesise(added[done % held], mass[done % held], done, inverse, window, columns, across, sums, total)
            done += 1
        while made < min(row + reach[1] + 1, height - 7):
            for plane, table in zip(planes, tables, strict=True):
                analyse(plane, made, forward, columns, table[made % held])
            added[made % held], mass[made % held] = 0, 0
            made += 1
        part = slice(r * per_row, (r + 1) * per_row)
        work(part, tables.reshape(len(planes), -1), added.reshape(-1), mass.reshape(-1))
    for rest in range(done, height - 7):
        synthesise(added[rest % held], mass[rest % held], rest, inverse, window, columns, across, sums, total)
    return np.divide(sums, total, out=sums)


def group_variances(found: Ints, places: int, correlations: Floats) -> Floats:
    """Return the variance (K,G,64) of white noise of variance 1 in the 3-D coefficients of groups, as `noise` does.

    Args:
        found: (G,K) int32, numbers of patches.
        places: patches in a row of the image.
        correlations: (8,8,64) float32 or float64, see `methods.classic._patches.overlap_correlations`.
    """
    kind, k = correlations.dtype, found.shape[1]
    variances = np.empty((k, len(found), 64), kind)
    order, halves = bit_reversed(k), blocks_apart(k)
    # Where `haar` leaves the coefficient that stands in a row of the Haar matrix.
    left = np.array([0, *(h + at for h in (1 << np.arange(k.bit_length() - 1)).tolist() for at in bit_reversed(h))])
    numbers = np.array([0, 1], kind)
    write_variances(
        *np.divmod(found, places), order, halves, left, correlations.reshape(-1), numbers, np.empty((2, 64 * k), kind),
        variances,
    )  # fmt: skip
    return variances


@compiled
def write_variances(
    rows: Ints,
    columns: Ints,
    order: Ints,
    halves: Ints,
    left: Ints,
    shared: Floats,
    numbers: Floats,
    room: Floats,
    variances: Floats,
) -> None:
    for g in range(len(rows)):
        room[0, :] = numbers[1]
        noise(rows[g], columns[g], order, halves, shared, numbers, room[1], room[0])
        for i in range(len(left)):
            for m in range(64):
                variances[i, g, m] = room[0, 64 * left[i] + m]


def bit_reversed(k: int) -> Ints:
    """Return 0..K−1 with their bits reversed, K a power of two."""
    return np.array([int(f"{i:b}".zfill(k.bit_length() - 1)[::-1], 2) for i in range(k)])


def blocks_apart(k: int) -> Ints:
    """Return, at a XOR b of two of K patches, how many blocks there are of the largest size that puts both in one."""
    return np.array([k >> i.bit_length() for i in range(k)])


@compiled
def shrink(
    tables: Floats,
    numbers: Floats,
    found: Ints,
    rows: Ints,
    columns: Ints,
    order: Ints,
    halves: Ints,
    shared: Floats,
    room: Floats,
    added: Floats,
    mass: Floats,
    weights: Floats,
) -> None:
    """Filter the groups of one row of references: add their patches and weights up, and write the weights.

    Args:
        tables: (1 or 2, held·(W−7)·64), coefficients of the patches of y and of p.
        numbers: 0, 1, √½, the level and the least number.
        rows, columns: (G,K), places of the patches.
        order: (K), 0..K−1 with their bits reversed.
        halves: (K), see `blocks_apart`.
        shared: (64·64), correlations of overlapping patches, at 8·rows + columns of distance; (0): none.
        room: (4,64·K), to work in.
    """
    zero, one, half_root, level, least = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    k, wiener = found.shape[1], len(tables) == 2
    noisy, clean, group, estimate, variance, crossed = tables[0], tables[-1], room[0], room[1], room[2], room[3]
    for g in range(len(found)):
        for i in range(k):
            # Unsigned numbers: an index that cannot be negative is not wrapped around, and the loop is vectorised.
            begin, to = np.uint64(found[g, i] % len(mass) * 64), np.uint64(64 * order[i])
            for m in range(np.uint64(64)):
                group[to + m] = noisy[begin + m]
            if wiener:
                for m in range(np.uint64(64)):
                    estimate[to + m] = clean[begin + m]
        haar(group, half_root)
        variance[:] = one
        if len(shared) > 0:
            noise(rows[g], columns[g], order, halves, shared, numbers, crossed, variance)
        energy = zero
        if wiener:
            haar(estimate, half_root)
            for m in range(64 * k):
                noisy_part = level * variance[m]
                keep = one - noisy_part / (estimate[m] * estimate[m] + noisy_part + least)
                group[m] *= keep
                energy += keep * keep * variance[m]
        else:
            for m in range(64 * k):
                keep = one if group[m] * group[m] >= level * variance[m] else zero
                group[m] *= keep
                energy += keep * variance[m]
        n = 64
        while n < len(group):
            butterfly(group[:n], group[n : 2 * n], half_root)
            n *= 2
        weight = one / max(energy, one)
        weights[g] = weight
        for i in range(k):
            at = found[g, i] % len(mass)
            begin, to = np.uint64(64 * order[i]), np.uint64(64 * at)
            for m in range(np.uint64(64)):
                added[to + m] += weight * group[begin + m]
            mass[at] += weight


@compiled
def rely(
    table: Floats,
    numbers: Floats,
    found: Ints,
    rows: Ints,
    columns: Ints,
    order: Ints,
    halves: Ints,
    shared: Floats,
    room: Floats,
    weights: Floats,
    added: Floats,
    mass: Floats,
) -> None:
    """Add the squared synthesis of φ, along the groups of one row of references, to the tables; see `shrink`.

    Every patch has one coefficient of each length of Haar's basis, so squares of it are means of two on the way back.

    Args:
        table: (held·(W−7)·64), coefficients of the patches of p.
        room: (3,64·K).
    """
    one, half_root, level, least = numbers[1], numbers[2], numbers[3], numbers[4]
    half = half_root * half_root
    k = found.shape[1]
    group, variance, crossed = room[0], room[1], room[2]
    for g in range(len(found)):
        for i in range(k):
            begin, to = np.uint64(found[g, i] % len(mass) * 64), np.uint64(64 * order[i])
            for m in range(np.uint64(64)):
                group[to + m] = table[begin + m]
        haar(group, half_root)
        variance[:] = one
        noise(rows[g], columns[g], order, halves, shared, numbers, crossed, variance)
        for m in range(64 * k):
            noisy_part = level * variance[m]
            group[m] = noisy_part / (group[m] * group[m] + noisy_part + least)
        n = 64
        while n < len(group):
            for m in range(n):
                both = (group[m] + group[n + m]) * half
                group[m], group[n + m] = both, both
            n *= 2
        for i in range(k):
            at = found[g, i] % len(mass)
            begin, to = np.uint64(64 * order[i]), np.uint64(64 * at)
            for m in range(np.uint64(64)):
                added[to + m] += weights[g] * group[begin + m]
            mass[at] += weights[g]


@compiled
def noise(
    rows: Ints,
    columns: Ints,
    order: Ints,
    halves: Ints,
    shared: Floats,
    numbers: Floats,
    crossed: Floats,
    variance: Floats,
) -> None:
    """Turn variances (64·K) of 1 into those of the 3-D coefficients of a group of white noise, ordered as `haar` does.

    A Haar coefficient is the difference of the sums over two halves of a block of 2, 4, 8 … patches, over √size. So its
    variance follows from those of both sums, and from the covariance of the two: the sum over all pairs between them.

    Args:
        rows, columns: (K), places of the patches.
        crossed: (64·K), room for those covariances.
    """
    k = len(rows)
    crossed[:] = numbers[0]
    for b in range(1, k):
        for a in range(b):
            dy, dx = abs(rows[a] - rows[b]), abs(columns[a] - columns[b])
            if dy < 8 and dx < 8:
                blocks = halves[a ^ b]
                at, to = np.uint64((8 * dy + dx) * 64), np.uint64((blocks + (order[a] & (blocks - 1))) * 64)
                for m in range(np.uint64(64)):
                    crossed[to + m] += shared[at + m]
    n, share = 32 * k, numbers[1]
    while n >= 64:
        share /= 2
        for m in range(n):
            both, between = variance[m] + variance[n + m], 2 * crossed[n + m]
            variance[m] = both + between
            variance[n + m] = max((both - between) * share, numbers[0])
        n //= 2
    for m in range(64):
        variance[m] *= share


@compiled
def haar(group: Floats, half_root: float) -> None:
    """Transform K patches of 64 numbers in place, in bit-reversed order: neighbours are half the length apart."""
    n = len(group) // 2
    while n >= 64:
        butterfly(group[:n], group[n : 2 * n], half_root)
        n //= 2


@compiled
def butterfly(low: Floats, high: Floats, half_root: float) -> None:
    for i in range(len(low)):
        a, b = low[i], high[i]
        low[i], high[i] = (a + b) * half_root, (a - b) * half_root


@compiled
def analyse(image: Floats, row: int, forward: Floats, columns: Floats, out: Floats) -> None:
    """Write (T X Tᵀ)ᵀ of all patches X in a row, 64 numbers each; `forward` is Tᵀ, `columns` room for 8·W numbers."""
    width = image.shape[1]
    for x in range(width):
        for k in range(8):
            columns[8 * x + k] = (
                forward[0, k] * image[row, x]
                + forward[1, k] * image[row + 1, x]
                + forward[2, k] * image[row + 2, x]
                + forward[3, k] * image[row + 3, x]
                + forward[4, k] * image[row + 4, x]
                + forward[5, k] * image[row + 5, x]
                + forward[6, k] * image[row + 6, x]
                + forward[7, k] * image[row + 7, x]
            )
    # Unsigned numbers: an index that cannot be negative is not wrapped around, and the loop is vectorised.
    eight = np.uint64(8)
    for x in range(np.uint64(width - 7)):
        for j in range(eight):
            for k in range(eight):
                p = x * eight + k
                out[(x * eight + j) * eight + k] = (
                    forward[0, j] * columns[p]
                    + forward[1, j] * columns[p + eight]
                    + forward[2, j] * columns[p + eight * np.uint64(2)]
                    + forward[3, j] * columns[p + eight * np.uint64(3)]
                    + forward[4, j] * columns[p + eight * np.uint64(4)]
                    + forward[5, j] * columns[p + eight * np.uint64(5)]
                    + forward[6, j] * columns[p + eight * np.uint64(6)]
                    + forward[7, j] * columns[p + eight * np.uint64(7)]
                )


@compiled
def synthesise(
    table: Floats,
    mass: Floats,
    row: int,
    inverse: Floats,
    window: Floats,
    columns: Floats,
    across: Floats,
    sums: Floats,
    total: Floats,
) -> None:
    """Add what a row of patches, weighted sums of coefficients and their weights, gives to the image.

    `inverse` is T⁻¹ with the window on its rows; `columns` (8·W) and `across` (8,W) are room to work in.
    """
    eight = np.uint64(8)
    width = sums.shape[1]
    columns[:] = 0
    for x in range(np.uint64(len(mass))):
        if mass[x] == 0:
            continue
        for j in range(eight):
            for k in range(eight):
                p = x * eight * eight + k
                columns[(x + j) * eight + k] += (
                    inverse[j, 0] * table[p]
                    + inverse[j, 1] * table[p + eight]
                    + inverse[j, 2] * table[p + eight * np.uint64(2)]
                    + inverse[j, 3] * table[p + eight * np.uint64(3)]
                    + inverse[j, 4] * table[p + eight * np.uint64(4)]
                    + inverse[j, 5] * table[p + eight * np.uint64(5)]
                    + inverse[j, 6] * table[p + eight * np.uint64(6)]
                    + inverse[j, 7] * table[p + eight * np.uint64(7)]
                )
    for x in range(width):
        for k in range(8):
            across[k, x] = columns[8 * x + k]
    for i in range(8):
        for x in range(width):
            sums[row + i, x] += (
                inverse[i, 0] * across[0, x]
                + inverse[i, 1] * across[1, x]
                + inverse[i, 2] * across[2, x]
                + inverse[i, 3] * across[3, x]
                + inverse[i, 4] * across[4, x]
                + inverse[i, 5] * across[5, x]
                + inverse[i, 6] * across[6, x]
                + inverse[i, 7] * across[7, x]
            )
    columns[:width] = 0
    for j in range(8):
        for x in range(len(mass)):
            columns[j + x] += window[j] * mass[x]
    for i in range(8):
        for x in range(width):
            total[row + i, x] += window[i] * columns[x]
