"""Damaged image files, each from a seed, and what reads them: `python -m tests.datasets.fuzz FIRST LAST FOLDER`."""

from __future__ import annotations

import io
import sys
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from datasets.errors import SuiteError
from datasets.images import EXTENSIONS, read_image
from tests.datasets import layouts

H, W = 20, 24
MOST_SECONDS, MOST_BYTES = 5, 2**30
EXTREMES = [0, 1, 2, 3, 4, 7, 16, 127, 128, 255, 256, 32767, 65535, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1]


def by_pillow(image: Image.Image, kind: str, **options: object) -> tuple[str, bytes]:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return kind.lower(), stream.getvalue()


def pngs(values: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for depth, dtype in ((1, np.uint8), (4, np.uint8), (8, np.uint8), (16, np.uint16)):
        samples = (values * (2**depth - 1)).astype(dtype)
        yield "png", layouts.png(samples[..., :1], depth, 0)
        yield "png", layouts.png(samples[..., :1], depth, 0, (b"tRNS", samples[0, 0, :1].astype(">u2").tobytes()))
        if depth < 16:
            yield "png", layouts.png(samples[..., :1], depth, 3, (b"PLTE", bytes(range(48))), (b"tRNS", bytes(9)))
        if depth >= 8:
            yield "png", layouts.png(samples[..., :2], depth, 4)
            yield "png", layouts.png(samples[..., :3], depth, 2, (b"tRNS", samples[0, 0, :3].astype(">u2").tobytes()))
            yield "png", layouts.png(samples, depth, 6)


def tiffs(values: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for dtype in (np.uint8, np.uint16, np.float32):
        samples = (values * (1 if dtype is np.float32 else np.iinfo(dtype).max)).astype(dtype)
        for planar in (False, True):
            yield "tif", layouts.tiff(samples[..., :3], planar)
            yield (
                "tif",
                layouts.tiff(samples, planar, "unassalpha", compression="deflate", byteorder=">", rowsperstrip=5),
            )
            yield "tif", layouts.tiff(samples[..., :2], planar, "assocalpha", bigtiff=True)
            yield "tif", layouts.tiff(samples, planar, "unassalpha", tile=(16, 16))
        strip = layouts.tiff(samples, alpha="unassalpha", rowsperstrip=H)
        yield "tif", layouts.compressed(strip, 5, layouts.lzw)
        yield "tif", layouts.compressed(strip, 32773, layouts.packbits)
        yield "tif", layouts.tiff(samples[..., :1], extratags=[(274, "H", 1, 6, True)])


def others(values: np.ndarray) -> Iterator[tuple[str, bytes]]:
    colour = Image.fromarray((values[..., :3] * 255).astype(np.uint8))
    alpha = Image.fromarray((values * 255).astype(np.uint8))
    gray, palette, bits = colour.convert("L"), colour.quantize(16), colour.convert("1")
    exif = Image.Exif()
    exif[274] = 6
    for options in ({}, {"progressive": True}, {"exif": exif}):
        yield by_pillow(colour, "JPEG", **options)
    yield by_pillow(gray, "JPEG")
    yield by_pillow(colour.convert("CMYK"), "JPEG")
    yield by_pillow(colour, "MPO", save_all=True, append_images=[gray])
    yield by_pillow(colour, "WEBP", exif=exif)
    yield by_pillow(alpha, "WEBP", lossless=True)
    yield by_pillow(alpha, "WEBP", save_all=True, append_images=[colour])
    for image in (colour, alpha, gray, palette, bits):
        yield by_pillow(image, "BMP")
    yield by_pillow(colour, "PNG", save_all=True, append_images=[gray.convert("RGB")])
    yield by_pillow(alpha, "PNG", exif=exif)
    for image, compression in ((palette, "raw"), (bits, "group4"), (colour, "jpeg"), (colour.convert("CMYK"), "raw")):
        yield by_pillow(image, "TIFF", compression=compression)


def arrays(values: np.ndarray) -> Iterator[tuple[str, bytes]]:
    for dtype in ("u1", "u2", ">u2", "f4", ">f8", "i4", "?"):
        stream = io.BytesIO()
        np.save(
            stream, np.asarray(values[..., :3] * (1 if "f" in dtype else 99), dtype, order="F" if ">" in dtype else "C")
        )
        yield "npy", stream.getvalue()


@cache
def originals() -> list[tuple[str, bytes]]:
    """Small files of every format and layout, with their endings."""
    values = np.random.RandomState(0).random_sample((H, W, 4))
    values[..., :2].sort(axis=2)  # premultiplied gray is under its alpha
    return [*pngs(values), *tiffs(values), *others(values), *arrays(values)]


def damaged(seed: int) -> tuple[str, bytes]:
    """A file with one to three mutations, and its ending."""
    random = np.random.RandomState(seed)
    files = originals()
    ending, original = files[seed % len(files)]
    data = bytearray(original)
    for _ in range(random.randint(1, 4)):
        at = random.randint(len(data)) if random.rand() < 0.5 else random.randint(min(len(data), 300))
        size = min(random.randint(1, 200), len(data) - at)
        mutation = random.randint(8)
        if mutation == 0:
            for place in random.randint(0, len(data), random.randint(1, 10)):
                data[place] ^= random.randint(1, 256)
        elif mutation == 1:
            del data[max(at, 1) :]
        elif mutation == 2:
            data[at:at] = data[at : at + size]
        elif mutation == 3:
            data[at : at + size] = bytes(size)
        elif mutation == 4:
            del data[at : at + size]
            data = data or bytearray(b"\0")
        elif mutation == 5:
            other = files[random.randint(len(files))][1]
            data[at:] = other[at:]
        else:
            width = (1, 2, 4)[random.randint(3)]
            value = EXTREMES[random.randint(len(EXTREMES))] % 256**width
            data[at : at + width] = value.to_bytes(width, "little" if random.rand() < 0.5 else "big")
    if random.rand() < 0.1:
        ending = EXTENSIONS[random.randint(len(EXTENSIONS))][1:]
    whole = bytes(data)
    return ending, with_checksums(whole) if random.rand() < 0.7 else whole


def with_checksums(data: bytes) -> bytes:
    """A PNG with the checksums of its chunks as they should be, so that what is in them is read; others as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    result, at = data[:8], 8
    while (end := at + 12 + int.from_bytes(data[at : at + 4], "big")) <= len(data):
        result += data[at : end - 4] + zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big")
        at = end
    return result + data[at:]


def read(path: Path) -> str:
    """Read one image; return what is wrong with that, or ""."""
    start = time.perf_counter()
    try:
        image = read_image(path)
        if image.dtype != torch.float32 or image.shape[0] not in (1, 3) or not (image.min() >= 0 and image.max() <= 1):
            return f"gave {image.dtype} {tuple(image.shape)}"
    except SuiteError as error:
        if "\n" in str(error) or "memory" in str(error).lower() or "allocate" in str(error):
            return f"said {error}"
    except BaseException as error:
        return f"raised {error!r}"
    seconds = time.perf_counter() - start
    return f"took {seconds:.1f} s" if seconds > MOST_SECONDS else ""


def main(first: int, last: int, folder: Path) -> None:
    """Read the files of the seeds first..last-1 in limited memory; each is named before it is read."""
    import resource  # not on every system

    originals()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, used + MOST_BYTES))
    for seed in range(first, last):
        ending, data = damaged(seed)
        path = folder / f"{seed}.{ending}"
        path.write_bytes(data)
        print(seed, end=" ", flush=True)
        print(read(path), flush=True)
        path.unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
