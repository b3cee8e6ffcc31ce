"""Large images in overlapping tiles, with the result of the whole image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor
from torch.nn.functional import pad

Network = Callable[[Tensor], Tensor]

TILE = 512
"""Side of a tile: 64 channels of it are 64 MiB in single precision."""


def tiled(network: Network, x: Tensor, tile: int = TILE, *, overlap: int, multiple: int = 1) -> Tensor:
    """Return network(x), computed tile by tile.

    Each axis is cut into parts of nearly equal length. A tile is a part and `overlap` pixels more on every side that
    is not a border of the image; only the part is kept. What the network sees there does not reach beyond the tile,
    so the result is that of the whole image, up to rounding, if `overlap` is at least the radius of the network's
    receptive field. An image that fits into one tile is handed over whole, with its batch; larger ones one at a time,
    so that the memory of the network depends neither on the size of the images nor on their number.

    Args:
        network: maps (n,C,h,w), h and w multiples of `multiple`, to (n,C',h,w).
        x: (N,C,H,W), N ≥ 1, of any size. Maps and masks that the network reads are channels of it.
        tile: largest side that the network is given; rounded down to a multiple of `multiple`.
        overlap: in pixels; rounded up to a multiple of `multiple`.
        multiple: what the sides must be multiples of, such as 8 for three halvings. All tiles begin at a multiple of
            it, so that their coarse grids are those of the image. An image of another size is continued at the right
            and at the bottom by its last column and row, and the result is cropped.

    Returns:
        (N,C',H,W).

    Raises:
        ValueError: nothing is left of a tile without its overlap.
    """
    windows = [
        (row, column)
        for row in _windows(x.shape[2], tile, overlap, multiple)
        for column in _windows(x.shape[3], tile, overlap, multiple)
    ]
    if len(windows) == 1:
        return _apply(network, x, *windows[0])
    out: Tensor | None = None
    for n in range(len(x)):
        for row, column in windows:
            part = _apply(network, x[n : n + 1], row, column)
            if out is None:
                out = part.new_empty(len(x), part.shape[1], *x.shape[2:])
            out[n, :, row.start : row.stop, column.start : column.stop] = part[0]
    assert out is not None
    return out


@dataclass(frozen=True)
class _Window:
    """Pixels start..stop−1 of an axis are kept of a tile that covers low..high−1 (perhaps beyond the image)."""

    start: int
    stop: int
    low: int
    high: int


def _windows(length: int, tile: int, overlap: int, multiple: int) -> list[_Window]:
    # In units of `multiple`.
    units, margin, most = -(-length // multiple), -(-overlap // multiple), tile // multiple
    if units <= most:
        return [_Window(0, length, 0, units * multiple)]
    if most <= 2 * margin:
        raise ValueError(f"nothing is left of a tile of {tile} pixels without an overlap of {overlap} on both sides")
    count = -(-units // (most - 2 * margin))
    cuts = [units * k // count for k in range(count + 1)]
    return [
        _Window(
            start=first * multiple,
            stop=min(last * multiple, length),
            low=max(first - margin, 0) * multiple,
            high=min(last + margin, units) * multiple,
        )
        for first, last in pairwise(cuts)
    ]


def _apply(network: Network, x: Tensor, row: _Window, column: _Window) -> Tensor:
    """Return the kept part of network(tile)."""
    piece = x[:, :, row.low : row.high, column.low : column.high]
    beyond = (0, column.high - column.low - piece.shape[3], 0, row.high - row.low - piece.shape[2])
    result = network(pad(piece, beyond, mode="replicate") if any(beyond) else piece)
    return result[:, :, row.start - row.low : row.stop - row.low, column.start - column.low : column.stop - column.low]
