"""Photographs from files, with what belongs to them: `benchmarks.photographs.writing` puts it into files again.

============  =================================================================================
of the file   what becomes of it
============  =================================================================================
bit depth     8 bits stay 8, 16 stay 16 (PNG and TIFF); less than 8 become 8
gray, colour  stay; a palette becomes RGB
alpha         copied unchanged; the colours are restored as they are stored, not over white
EXIF          copied byte for byte; the block of a TIFF is written anew, into PNG, JPEG or WebP
orientation   pixels are upright in memory, and stored as they were if the EXIF block says so;
              without a block they are stored upright
ICC profile   copied byte for byte; a profile of gray is left out of a colour result
PNG chunks    gAMA, cHRM, sRGB, cICP and pHYs are copied from PNG to PNG
JPEG          written at quality 95 without chroma subsampling; WebP is written without loss
the rest      text, XMP and further pictures of the file are not written
============  =================================================================================

What OUT's format cannot keep is refused, before anything is computed.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
import torch
from PIL import Image
from torch import Tensor

from datasets.errors import SuiteError
from datasets.formats import pillow, png, tiff
from datasets.formats.pixels import Refused, upright
from datasets.images import EXTENSIONS, read_image

PICTURES = tuple(ending for ending in EXTENSIONS if ending != ".npy")
"""Lower-case endings of the files that are read and written."""
_COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"pHYs")
_ORIENTATION, _ICC, _EXIF_IFD, _GPS_IFD = 274, 34675, 34665, 34853
_DESCRIBING = (270, 271, 272, _ORIENTATION, 305, 306, 315, 33432)
"""TIFF tags that belong to an EXIF block too: description, camera, software, date, artist, copyright."""


@dataclass(frozen=True)
class Photograph:
    """A photograph in memory, upright.

    Attributes:
        path: of its file, for messages.
        pixels: (C,H,W) float32 in [0,1]; C = 1 also if a file stores R = G = B.
        channels: colours in the file, 1 or 3.
        bits: per colour, 8 or 16.
        alpha: (H,W) uint8 or uint16, or None.
        orientation: of the stored pixels, 1 to 8 as in EXIF.
        exif, icc: the blocks, or None.
        chunks: PNG chunks that are copied, whole.
    """

    path: Path
    pixels: Tensor
    channels: int
    bits: int
    alpha: np.ndarray | None = None
    orientation: int = 1
    exif: bytes | None = None
    icc: bytes | None = None
    chunks: tuple[bytes, ...] = ()


def read_photograph(path: Path) -> Photograph:
    """Read a photograph by the rules of `datasets.images.read_image`, but for alpha, which is kept apart.

    Raises:
        SuiteError: `read_image` refuses the file, or it holds something that could not be written again.
    """
    if path.suffix.lower() not in PICTURES:
        raise SuiteError(f"'{path}' is no photograph by its ending: give one of {', '.join(PICTURES)}.")
    pixels = read_image(path)
    data = path.read_bytes()
    try:
        found = _of_tiff if data.startswith(tiff.SIGNATURES) else _of_others
        facts, colours = found(data)
    except Refused as refusal:
        raise SuiteError(f"photograph '{path}' {refusal}.") from refusal
    if colours is not None:
        full = np.float32(2**facts.bits - 1)
        turned = upright(colours.astype(np.float32) / full, facts.orientation)
        pixels = torch.from_numpy(np.ascontiguousarray(turned.transpose(2, 0, 1)))
    channels = len(pixels)
    if channels == 3 and torch.equal(pixels[0], pixels[1]) and torch.equal(pixels[0], pixels[2]):
        pixels = pixels[:1].clone()
    return Photograph(path, pixels, channels, facts.bits, facts.alpha, facts.orientation, facts.exif, facts.icc,
                      facts.chunks)  # fmt: skip


@dataclass(frozen=True)
class _Facts:
    bits: int
    orientation: int
    alpha: np.ndarray | None
    exif: bytes | None
    icc: bytes | None
    chunks: tuple[bytes, ...] = ()


def _of_others(data: bytes) -> tuple[_Facts, np.ndarray | None]:
    """Return what belongs to a PNG, JPEG, WebP or BMP, and its stored colours (H,W,C) if it has alpha."""
    is_png = data.startswith(png.SIGNATURE)
    bits = 16 if is_png and data[24] == 16 else 8
    with pillow.opened(data, "PNG", "JPEG", "WEBP", "BMP") as image:
        stored = pillow.orientation(image)
        orientation = stored if isinstance(stored, int) and 1 <= stored <= 8 else 1
        exif, icc = image.info.get("exif"), image.info.get("icc_profile")
        transparent = image.has_transparency_data
        samples = pillow.samples(image)[0] if transparent and bits == 8 else None
    if transparent and bits == 16:
        samples = _deep_png(data)
    chunks = tuple(whole for kind, whole in _chunks(data) if kind in _COLOUR_CHUNKS) if is_png else ()
    return _split(samples, bits, orientation, exif, icc, chunks)


def _deep_png(data: bytes) -> np.ndarray:
    """Return the samples (H,W,C) of a 16-bit PNG with alpha."""
    gray_alpha, rgb_alpha = 4, 6
    if data[25] not in (gray_alpha, rgb_alpha):
        raise Refused("marks a colour as transparent at 16 bit, which is not kept: save it with an alpha channel")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[2:] != (4,):
        raise Refused("cannot be read with its alpha channel at 16 bit: save it again")
    return pixels[..., [0, 3] if data[25] == gray_alpha else [2, 1, 0, 3]]


def _of_tiff(data: bytes) -> tuple[_Facts, np.ndarray | None]:
    """Return what belongs to a TIFF, and its stored colours (H,W,C) if it has alpha."""
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            bits = max(page.bitspersample, 8)
            if bits > 16 or (bits == 16 and page.dtype != np.uint16):
                raise Refused("holds floats, whose depth is not kept: save it as 8 or 16 bit")
            tags = {tag.code: tag.value for tag in page.tags}
            samples = None
            if page.extrasamples:
                samples = _tiff_samples(page)
    finally:
        logger.disabled = before
    stored = tags.get(_ORIENTATION, 1)
    orientation = int(stored) if stored in range(1, 9) else 1
    icc = tags.get(_ICC)
    exif = _exif_of_tiff(data) if _EXIF_IFD in tags or _GPS_IFD in tags else None
    return _split(samples, bits, orientation, exif, None if icc is None else bytes(icc))


def _tiff_samples(page: tifffile.TiffPage) -> np.ndarray:
    straight = 2
    if page.extrasamples[0] != straight:
        raise Refused("stores colours multiplied by alpha, which rounds them: save it with straight alpha or without")
    try:
        samples = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (planes,H,W,C), of which one of the ends is 1
    except ValueError as error:  # a compression that tifffile alone does not know
        raise Refused("compresses alpha in a way that is not read: save it uncompressed or with deflate") from error
    return samples.transpose(1, 2, 0, 3).reshape(*samples.shape[1:3], -1)


def _exif_of_tiff(data: bytes) -> bytes:
    """Return the EXIF block that a TIFF spreads over its tags, in one piece."""
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            old, new = image.getexif(), Image.Exif()
            for code in _DESCRIBING:
                if code in old:
                    new[code] = old[code]
            for code in (_EXIF_IFD, _GPS_IFD):
                new.get_ifd(code).update(old.get_ifd(code))
            return new.tobytes()
    except Exception as error:  # Pillow's parser fails in any way on odd tags
        raise Refused("has an EXIF block that cannot be kept: save it without, or as PNG") from error


def _split(
    samples: np.ndarray | None,
    bits: int,
    orientation: int,
    exif: bytes | None,
    icc: bytes | None,
    chunks: tuple[bytes, ...] = (),
) -> tuple[_Facts, np.ndarray | None]:
    alpha = colours = None
    if samples is not None:
        colours, alpha = samples[..., :-1], np.ascontiguousarray(upright(samples[..., -1:], orientation)[..., 0])
    return _Facts(bits, orientation, alpha, exif or None, icc or None, chunks), colours


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and whole of the chunks of a PNG that has been checked."""
    position = len(png.SIGNATURE)
    while position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], data[position:end]
        position = end
