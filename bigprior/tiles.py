"""Large images in overlapping tiles, with the result of the whole image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor
from torch.nn.functional import pad

Network = Callable[[Tensor], Tensor]

TILE = 512
"""Side of a tile: 64 channels of it are 64 MiB in single precision."""
WIDE = 1536
"""Side of the tiles of networks that look some hundred pixels around: what neighbours both compute costs more."""


def tiled(network: Callable[..., Tensor], *images: Tensor, tile: int = TILE, overlap: int, multiple: int = 1) -> Tensor:
    """Return network(*images), computed tile by tile.

    Each axis is cut into parts of nearly equal length. A tile is a part and `overlap` pixels more on every side that
    is not a border of the image; only the part is kept. What the network sees there does not reach beyond the tile,
    so the result is that of the whole image, up to rounding, if `overlap` is at least the radius of the network's
    receptive field. An image that fits into one tile is handed over whole, with its batch; larger ones one at a time,
    so that the memory of the network depends neither on the size of the images nor on their number.

    Args:
        network: maps (n,C,h,w), one for each of `images`, h and w multiples of `multiple`, to (n,C',h,w).
        images: each (N,C,H,W), N ≥ 1, of any size. Maps and masks that the network reads are among them, or channels
            of one; a constant map that is expanded from one number takes no memory.
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
    count, _, *size = images[0].shape
    rows, columns = (windows(side, tile, overlap, multiple=multiple) for side in size)
    if len(rows) == len(columns) == 1:
        return _apply(network, images, rows[0], columns[0])
    out: Tensor | None = None
    for n in range(count):
        one = [image[n : n + 1] for image in images]
        for row, column in ((row, column) for row in rows for column in columns):
            part = _apply(network, one, row, column)
            if out is None:
                out = part.new_empty(count, part.shape[1], *size)
            out[n, :, row.start : row.stop, column.start : column.stop] = part[0]
    assert out is not None
    return out


@dataclass(frozen=True)
class Window:
    """Pixels start..stop−1 of an axis are kept of a tile that covers low..high−1 (perhaps beyond the image)."""

    start: int
    stop: int
    low: int
    high: int

    @property
    def kept(self) -> slice:
        """Where the kept pixels are in the tile."""
        return slice(self.start - self.low, self.stop - self.low)


def windows(length: int, tile: int, overlap: int, *, blend: int = 0, multiple: int = 1) -> list[Window]:
    """Cut an axis into as few windows as the overlap allows.

    Args:
        length: of the axis, in pixels.
        tile, overlap, multiple: see `tiled`.
        blend: what is kept of two neighbours overlaps by so many pixels, rounded down to twice a `multiple`.

    Raises:
        ValueError: nothing is left of a tile without its overlap.
    """
    # In units of `multiple`.
    units, most = -(-length // multiple), tile // multiple
    margin, half = -(-overlap // multiple), blend // 2 // multiple
    if units <= most:
        return [Window(0, length, 0, units * multiple)]
    kept = most - 2 * (margin + half)
    if kept <= 0:
        raise ValueError(f"nothing is left of a tile of {tile} pixels without an overlap of {overlap} on both sides")
    count = -(-units // kept)
    cuts = [units * k // count for k in range(count + 1)]
    return [
        Window(
            start=max(first - half, 0) * multiple,
            stop=min((last + half) * multiple, length),
            low=max(first - half - margin, 0) * multiple,
            high=min(last + half + margin, units) * multiple,
        )
        for first, last in pairwise(cuts)
    ]


def _apply(network: Callable[..., Tensor], images: Sequence[Tensor], row: Window, column: Window) -> Tensor:
    """Return the kept part of network(tile)."""
    result = network(*(_cut(image, row, column) for image in images))
    return result[:, :, row.kept, column.kept]


def _cut(image: Tensor, row: Window, column: Window) -> Tensor:
    piece = image[:, :, row.low : row.high, column.low : column.high]
    beyond = (0, column.high - column.low - piece.shape[3], 0, row.high - row.low - piece.shape[2])
    return pad(piece, beyond, mode="replicate") if any(beyond) else piece
