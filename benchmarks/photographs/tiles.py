"""Photographs of any size in bounded memory: overlapping tiles, blended.

A tile sees `context` pixels beyond what is used of it, and neighbours are blended linearly over `blend` pixels. The
result is that of the whole image for a method that looks no further than `context`. A method that looks at the whole
image (Fourier, total variation) sees one tile at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.operators import Masking, Operator

WHOLE = 768 * 768
"""Pixels up to which an image is restored in one piece: some 2 GiB for the methods that need most."""


@dataclass(frozen=True)
class Tiling:
    """Sides in pixels.

    Attributes:
        side: the most that a tile sees.
        context: seen on every inner side and not used.
        blend: width over which two neighbours are mixed.
    """

    side: int
    context: int
    blend: int


NOISE = Tiling(side=512, context=32, blend=32)
HOLES = Tiling(side=1024, context=128, blend=64)
"""A hole is filled from farther away."""


@dataclass(frozen=True)
class Window:
    """Pixels low..high−1 of an axis are seen, and start..stop−1 are used with `weights` (stop−start,)."""

    low: int
    high: int
    start: int
    stop: int
    weights: Tensor


def windows(length: int, tiling: Tiling) -> list[Window]:
    """Cut an axis into windows whose weights are 1 in sum everywhere."""
    if length <= tiling.side:
        return [Window(0, length, 0, length, torch.ones(length))]
    count = -(-length // (tiling.side - 2 * tiling.context - tiling.blend))
    cuts = [length * k // count for k in range(count + 1)]
    ramp = (torch.arange(tiling.blend) + 0.5) / tiling.blend
    half, found = tiling.blend // 2, []
    for first, last in pairwise(cuts):
        start, stop = max(first - half, 0), min(last + half, length)
        weights = torch.ones(stop - start)
        if first > 0:
            weights[: tiling.blend] = ramp
        if last < length:
            weights[-tiling.blend :] = 1 - ramp
        low, high = max(start - tiling.context, 0), min(stop + tiling.context, length)
        found.append(Window(low, high, start, stop, weights))
    return found


def grid(observation: Observation) -> list[tuple[Window, Window]]:
    """Return the windows of rows and columns of the tiles of an observation; one if it is restored in one piece."""
    height, width = observation.y.shape[-2:]
    if height * width <= WHOLE:
        return [tuple(Window(0, side, 0, side, torch.ones(side)) for side in (height, width))]  # type: ignore[list-item]
    tiling = HOLES if isinstance(observation.operator, Masking) else NOISE
    return [(row, column) for row in windows(height, tiling) for column in windows(width, tiling)]


def blended(
    function: Callable[[Observation], Tensor], observation: Observation, done: Callable[[], object] = lambda: None
) -> Tensor:
    """Return function(observation) (1,C',H,W), computed tile by tile where the image is large.

    Args:
        function: from an observation of one image to numbers on its grid.
        observation: of one image.
        done: called after each tile.

    Raises:
        SuiteError: a tile has nothing observed in it.
    """
    tiles = grid(observation)
    if len(tiles) == 1:
        result = function(observation)
        done()
        return result
    total: Tensor | None = None
    for row, column, part in _parts(observation, tiles):
        result = function(part)
        if total is None:
            total = result.new_zeros(1, result.shape[1], *observation.y.shape[-2:])
        used = result[
            ..., row.start - row.low : row.stop - row.low, column.start - column.low : column.stop - column.low
        ]
        weights = row.weights[:, None] * column.weights
        total[..., row.start : row.stop, column.start : column.stop] += used * weights.to(used)
        done()
    assert total is not None
    return total


def _parts(
    observation: Observation, tiles: list[tuple[Window, Window]]
) -> Iterator[tuple[Window, Window, Observation]]:
    for row, column in tiles:
        part = crop(observation, slice(row.low, row.high), slice(column.low, column.high))
        if not part.mask.any():
            raise SuiteError(f"a hole fills a square of {HOLES.side} pixels, all that is looked at: scale it down.")
        yield row, column, part


def crop(observation: Observation, rows: slice, columns: slice) -> Observation:
    """Return a rectangle of an observation."""
    operator: Operator = observation.operator
    if isinstance(operator, Masking):
        operator = Masking(operator.mask[..., rows, columns])
    return Observation(observation.y[..., rows, columns], operator, observation.noise)
