"""TIFF pictures of every depth and layout.

Source: TIFF Revision 6.0, Adobe 1992.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import tifffile

from datasets.formats import pillow
from datasets.formats.pixels import (
    BROKEN,
    SEVERAL,
    Alpha,
    Refused,
    check_numbers,
    check_size,
    composed,
    upright,
)

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""Little and big endian, classic and BigTIFF."""
_WHITE_IS_ZERO, _COLOURS = 0, {1: 1, 2: 3}
"""Photometric interpretations: gray and RGB, with their number of colours."""
_UNSPECIFIED, _PREMULTIPLIED, _STRAIGHT = 0, 1, 2
_PLAIN, _DEFLATE = 1, (8, 32946)
_HORIZONTAL = 2
_SEPARATE = 2
_ORIENTATION = 274


def read(data: bytes) -> np.ndarray:
    """Return the pixels (H,W,C) float32 in [0,1].

    tifffile reads what is uncompressed or deflated. Other compressions are left to OpenCV above 8 bit, and to Pillow
    below, in the layouts that they read rightly.

    Raises:
        Refused: the layout, the compression or the scale of the numbers is not known, or strips are missing.
        Exception: anything that a decoder raises for a broken file.
    """
    with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        check_size(page.imagewidth, page.imagelength)
        frames = max(len(file.pages), page.imagedepth, _frames_of_page(file, page, len(data)))
        if frames > 1:
            raise Refused(SEVERAL.format(frames))
        bits = page.bitspersample
        if bits not in (1, 2, 4, 8, 16, 32, 64):
            raise Refused(f"has {bits} bits per channel, of unknown full scale: convert it to 8 or 16 bit")
        if bits >= 8:
            check_numbers(np.dtype(page.dtype or "V"))
        if page.photometric not in _COLOURS:
            return _other(data, page)
        _check_segments(page, len(data))
        alpha = _alpha(page)
        if page.compression == _PLAIN and page.predictor != 1:
            raise Refused("has a predictor without compression, which readers disagree on: save it again without")
        if _is_simple(page):
            samples = page.asarray(squeeze=False, maxworkers=1)[:, 0]  # (planes,H,W,C), of which one of the ends is 1
            samples = samples.transpose(1, 2, 0, 3).reshape(*samples.shape[1:3], -1)
            return upright(composed(samples, alpha), _orientation(page))
        if not _is_common(page, alpha):
            raise Refused("compresses an unusual layout: save it uncompressed or with deflate")
        if bits <= 8:
            return pillow.read(data, "TIFF")
        return upright(composed(_by_opencv(data, page), alpha), _orientation(page))


def _frames_of_page(file: tifffile.TiffFile, page: tifffile.TiffPage, size: int) -> int:
    """Return how many frames a page stands for: ImageJ and tifffile can describe a stack in words and store it so."""
    if not (file.is_imagej or file.is_shaped) or page.compression != _PLAIN or not page.dataoffsets:
        return 1
    described = sum(series.size for series in file.series) // page.size
    return min(described, (size - page.dataoffsets[0]) // page.nbytes)


def _other(data: bytes, page: tifffile.TiffPage) -> np.ndarray:
    """Return the pixels of white-is-zero, palette and YCbCr pictures, or refuse them."""
    if page.planarconfig == _SEPARATE and page.samplesperpixel > 1:
        raise Refused("stores separate planes that are neither gray nor RGB: convert it to RGB")
    if page.bitspersample <= 8:
        return pillow.read(data, "TIFF")
    if page.photometric == _WHITE_IS_ZERO:
        raise Refused("stores white as zero, which readers disagree on above 8 bit: convert it to black as zero")
    raise Refused("is neither gray nor RGB, which is not read above 8 bit: convert it to RGB")


def _alpha(page: tifffile.TiffPage) -> Alpha:
    extra = page.samplesperpixel - _COLOURS[page.photometric]
    if extra == 0:
        return Alpha.NONE
    if extra != 1:
        raise Refused(f"has {page.samplesperpixel} channels: save it as gray or RGB, with or without alpha")
    meaning = page.extrasamples[0] if len(page.extrasamples) == 1 else _UNSPECIFIED
    if meaning not in (_PREMULTIPLIED, _STRAIGHT):
        raise Refused("has one more channel, and does not say if it is alpha: save it without or as alpha")
    return Alpha.STRAIGHT if meaning == _STRAIGHT else Alpha.PREMULTIPLIED


def _check_segments(page: tifffile.TiffPage, size: int) -> None:
    """Check that every strip or tile lies in the file: tifffile takes those that do not as zeros."""
    number = math.prod(page.chunked)
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))[:number]
    if len(segments) < number or any(start <= 0 or count <= 0 or start + count > size for start, count in segments):
        raise Refused(BROKEN.format("strips or tiles are missing"))


def _is_simple(page: tifffile.TiffPage) -> bool:
    """Return whether tifffile decodes it alone, without the package imagecodecs."""
    return (
        page.bitspersample >= 8
        and page.compression in (_PLAIN, *_DEFLATE)
        and page.predictor in (1, _HORIZONTAL)
        and page.fillorder == 1
    )


def _is_common(page: tifffile.TiffPage, alpha: Alpha) -> bool:
    """Return whether Pillow (up to 8 bit; it rounds premultiplied colours) or OpenCV (above) reads it rightly."""
    planar = page.planarconfig == _SEPARATE and page.samplesperpixel > 1
    gray = _COLOURS[page.photometric] == 1
    if page.bitspersample <= 8:
        return alpha is not Alpha.PREMULTIPLIED and not (planar and gray)
    return not planar and (alpha is Alpha.NONE or not gray)


def _by_opencv(data: bytes, page: tifffile.TiffPage) -> np.ndarray:
    upright_data = bytearray(data)
    if _ORIENTATION in page.tags:  # so that OpenCV leaves the pixels as they are stored
        tag = page.tags[_ORIENTATION]
        upright_data[tag.valueoffset : tag.valueoffset + 2] = (1).to_bytes(2, "little" if data[:1] == b"I" else "big")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.frombuffer(upright_data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    if pixels is None or pixels.dtype != page.dtype or np.atleast_3d(pixels).shape != shape:
        raise Refused("is truncated, broken or compressed in an unknown way: save it uncompressed or with deflate")
    return np.atleast_3d(pixels)[..., {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[page.samplesperpixel]]


def _orientation(page: tifffile.TiffPage) -> object:
    return page.tags[_ORIENTATION].value if _ORIENTATION in page.tags else 1


@contextmanager
def _quiet() -> Iterator[None]:
    """A broken file is told once, by us, and not by tifffile's logger too."""
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
