"""Writers of image files in every layout, apart from those that are tested."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import tifffile

PNG_COLOUR = {(1, False): 0, (3, False): 2, (1, True): 4, (3, True): 6}
"""PNG's number of a colour type, by the number of colours and whether there is alpha."""


def png(samples: np.ndarray, depth: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of samples (H,W,C); `chunks` come before the pixels."""
    height, width, channels = samples.shape
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in samples]
    else:
        bits = np.unpackbits(samples.reshape(height, width * channels, 1).astype(np.uint8), axis=2)[..., 8 - depth :]
        rows = [row.tobytes() for row in np.packbits(bits.reshape(height, -1), axis=1)]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def lzw(data: bytes) -> bytes:
    """TIFF's LZW, with a clear code before every 200 literals so that codes stay 9 bits wide."""
    codes = [code for start in range(0, len(data), 200) for code in (256, *data[start : start + 200])]
    bits = "".join(f"{code:09b}" for code in (*codes, 257))
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def packbits(data: bytes) -> bytes:
    """TIFF's PackBits, all literals."""
    return b"".join(bytes([len(part) - 1]) + part for part in (data[i : i + 128] for i in range(0, len(data), 128)))


def tiff(samples: np.ndarray, planar: bool = False, alpha: str | None = None, **more: object) -> bytes:
    """A TIFF of samples (H,W,C); `alpha` says what the last is: None, "unspecified", "assocalpha" or "unassalpha"."""
    colours = samples.shape[2] - (alpha is not None)
    pixels = samples.transpose(2, 0, 1) if planar else samples
    layout: dict[str, object] = {
        "photometric": "rgb" if colours == 3 else "minisblack",
        "extrasamples": [alpha] if alpha else None,
        "planarconfig": ("separate" if planar else "contig") if samples.shape[2] > 1 else None,
    }
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.ascontiguousarray(pixels.squeeze()), **(layout | more))
    return stream.getvalue()


def compressed(data: bytes, number: int, compress: Callable[[bytes], bytes]) -> bytes:
    """An uncompressed TIFF again with every strip compressed; `number` is TIFF's of the compression."""
    stream = io.BytesIO(data)
    with tifffile.TiffFile(stream) as file:
        page = file.pages[0]
        strips = [
            data[start : start + count] for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
        strips = [compress(strip) for strip in strips]
        starts = [len(data) + sum(map(len, strips[:index])) for index in range(len(strips))]
        for tag, value in ((259, [number]), (273, starts), (279, [len(strip) for strip in strips])):
            page.tags[tag].overwrite(value if len(value) > 1 else value[0])
    changed = stream.getvalue()
    assert len(changed) == len(data)
    return changed + b"".join(strips)
