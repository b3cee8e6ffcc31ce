"""PNG pictures of every depth.

Source: Portable Network Graphics (PNG) Specification, Third Edition, W3C 2025.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from datasets.formats import pillow
from datasets.formats.pixels import BROKEN, Alpha, Refused, check_size, composed, upright

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _GRAY_ALPHA, _RGBA = 0, 2, 4, 6
_SAMPLES = {_GRAY: 1, _RGB: 3, _GRAY_ALPHA: 2, _RGBA: 4}
_MOST_COMPRESSION = 1032
"""What deflate can make of a byte, at most."""


class _Chunk(NamedTuple):
    kind: bytes
    body: bytes
    whole: bytes


def read(data: bytes) -> np.ndarray:
    """Return the pixels (H,W,C) float32 in [0,1].

    Alpha is the alpha channel, that of the palette, or 0 where the samples are the one colour that a tRNS chunk names
    (compared at full depth) and 1 elsewhere.

    Raises:
        Refused: a chunk is broken or missing, or `check_size` or `pillow.opened` refuses the picture.
        Exception: anything that Pillow or OpenCV raises for broken pixels.
    """
    chunks = list(_chunks(data))
    if not chunks or chunks[0].kind != b"IHDR" or len(chunks[0].body) != 13:
        raise Refused(BROKEN.format("no IHDR chunk"))
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0].body[:10])
    check_size(width, height)
    if width * height * depth * _SAMPLES.get(colour, 1) // 8 > _MOST_COMPRESSION * len(data):
        raise Refused(BROKEN.format(f"{len(data)} bytes for {width}x{height} pixels"))
    key = None
    if colour in (_GRAY, _RGB):  # else the chunk belongs to the palette, which Pillow applies
        key = next((chunk.body for chunk in chunks if chunk.kind == b"tRNS"), None)
        chunks = [chunk for chunk in chunks if chunk.kind != b"tRNS"]
    with pillow.opened(SIGNATURE + b"".join(chunk.whole for chunk in chunks), "PNG") as image:
        # Pillow drops the lower byte of 16 bits.
        samples, alpha = _deep(chunks, colour) if depth == 16 else pillow.samples(image)
        orientation = pillow.orientation(image)
    if key is not None:
        samples, alpha = _keyed(samples, key, depth), Alpha.STRAIGHT
    return upright(composed(samples, alpha), orientation)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    position = len(SIGNATURE)
    kind = b""
    while kind != b"IEND":
        size = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + size
        if end > len(data):
            raise Refused(BROKEN.format("it ends inside a chunk or before IEND"))
        kind, body = data[position + 4 : position + 8], data[position + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[end - 4 : end], "big"):
            raise Refused(BROKEN.format(f"wrong checksum of chunk {ascii(kind)[2:-1]}"))
        yield _Chunk(kind, body, data[position:end])
        position = end


def _deep(chunks: list[_Chunk], colour: int) -> tuple[np.ndarray, Alpha]:
    """Return 16-bit samples (H,W,C) as they are stored: gray, gray + alpha, RGB or RGB + alpha."""
    plain = b"".join(chunk.whole for chunk in chunks if chunk.kind in (b"IHDR", b"IDAT", b"IEND"))
    pixels = cv2.imdecode(np.frombuffer(SIGNATURE + plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise Refused(BROKEN.format("no 16-bit pixels"))
    channels = {_GRAY: [0], _RGB: [2, 1, 0], _GRAY_ALPHA: [0, -1], _RGBA: [2, 1, 0, 3]}[colour]
    return np.atleast_3d(pixels)[..., channels], Alpha.NONE if colour in (_GRAY, _RGB) else Alpha.STRAIGHT


def _keyed(samples: np.ndarray, key: bytes, depth: int) -> np.ndarray:
    """Return the samples with an alpha channel that is 0 where they are the colour of a tRNS chunk."""
    if len(key) != 2 * samples.shape[2]:
        raise Refused(BROKEN.format(f"tRNS chunk of {len(key)} bytes"))
    most = 2**depth - 1
    full = np.iinfo(samples.dtype).max
    colour = (np.frombuffer(key, ">u2") & most) * (full // most)  # Pillow widens 1, 2 and 4 bits to 8
    alpha = np.where((samples == colour).all(axis=2), 0, full).astype(samples.dtype)
    return np.dstack([samples, alpha])
