"""Photographs of any size in bounded memory: overlapping tiles, blended.

A tile sees `context` pixels beyond what is used of it, and neighbours are blended linearly over `blend` pixels. The
result is that of the whole image for a method that looks no further than `context`. A method that looks at the whole
image (Fourier, total variation) sees one tile at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bigprior.tiles import Window, windows
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


def tiling_of(observation: Observation) -> Tiling:
    """Return how a large observation is cut."""
    return HOLES if isinstance(observation.operator, Masking) else NOISE


def grid(observation: Observation) -> list[tuple[Window, Window]]:
    """Return the windows of rows and columns of the tiles of an observation; one if it is restored in one piece."""
    height, width = observation.y.shape[-2:]
    tiling = tiling_of(observation)
    side = max(height, width) if height * width <= WHOLE else tiling.side
    rows, columns = (windows(n, side, tiling.context, blend=tiling.blend) for n in (height, width))
    return [(row, column) for row in rows for column in columns]


def weights(window: Window, blend: int, length: int) -> Tensor:
    """Return what each kept pixel of a window counts: 1, and ramps over `blend` pixels at sides that have a neighbour.

    Those of all windows of an axis of `length` pixels are 1 in sum everywhere.
    """
    counts = torch.ones(window.stop - window.start)
    ramp = (torch.arange(blend) + 0.5) / blend
    if window.start > 0:
        counts[:blend] = ramp
    if window.stop < length:
        counts[-blend:] = 1 - ramp
    return counts


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
    height, width = observation.y.shape[-2:]
    blend = tiling_of(observation).blend
    for row, column, part in _parts(observation, tiles):
        result = function(part)
        if total is None:
            total = result.new_zeros(1, result.shape[1], height, width)
        counts = weights(row, blend, height)[:, None] * weights(column, blend, width)
        used = result[..., row.kept, column.kept]
        total[..., row.start : row.stop, column.start : column.stop] += used * counts.to(used)
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
