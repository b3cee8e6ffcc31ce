"""BMP, JPEG and WebP, and what has 8 bits per channel or less in PNG and TIFF: Pillow decodes them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, UnidentifiedImageError

from datasets.formats.pixels import BROKEN, MOST_PIXELS, SEVERAL, Alpha, Refused, check_size, composed, upright

_GRAY_MODES = ("1", "L", "LA")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA")
_EXIF_ORIENTATION = 274
_MOST_JPEG = 512
"""Pixels in a byte of a JPEG at most: 8 blocks of 8x8, of a bit each. libjpeg makes up what is missing."""


def read(data: bytes, *formats: str) -> np.ndarray:
    """Return the pixels (H,W,C) float32 in [0,1] of a picture in one of Pillow's formats. Raises as `opened` does."""
    with opened(data, *formats) as image:
        return upright(composed(*samples(image)), orientation(image))


@contextmanager
def opened(data: bytes, *formats: str) -> Iterator[Image.Image]:
    """Give a picture, loaded.

    Raises:
        Refused: it is of another format, has several frames, or too few or too many pixels.
        Exception: anything that Pillow raises for a broken file.
    """
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = (MOST_PIXELS + 1) // 2  # Pillow refuses above twice its limit, before it allocates
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata and large pictures
            with Image.open(io.BytesIO(data), formats=formats) as image:
                check_size(*image.size)
                if image.format in ("JPEG", "MPO") and image.width * image.height > _MOST_JPEG * len(data):
                    raise Refused(BROKEN.format(f"{len(data)} bytes for {image.width}x{image.height} pixels"))
                frames = getattr(image, "n_frames", 1)
                if frames > 1 and image.format != "MPO":
                    raise Refused(SEVERAL.format(frames))
                image.load()
                yield image
    except UnidentifiedImageError as error:
        if len(formats) > 1:
            raise Refused("is not a PNG, JPEG, TIFF, BMP or WebP image: convert it or take it away") from error
        raise Refused(f"is truncated, broken or a kind of {formats[0]} that is not read: convert it") from error
    except Image.DecompressionBombError as error:
        size = str(error).split(",")[0]  # "Image size (<number> pixels) exceeds limit of <number> pixels"
        raise Refused(f"is too large ({size}): cut it or scale it down") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def samples(image: Image.Image) -> tuple[np.ndarray, Alpha]:
    """Return the samples (H,W,C) uint8, C = 1 or 3 and one more for alpha, and whether there is alpha.

    Raises:
        Refused: the mode of the picture needs a profile.
    """
    if image.mode not in _GRAY_MODES + _COLOUR_MODES:
        raise Refused(f"is in mode {image.mode}, whose RGB values depend on a profile: convert it to RGB")
    alpha = Alpha.STRAIGHT if image.has_transparency_data else Alpha.NONE
    mode = ("L" if image.mode in _GRAY_MODES else "RGB") + ("A" if alpha is Alpha.STRAIGHT else "")
    return np.atleast_3d(np.asarray(image.convert(mode))), alpha


def orientation(image: Image.Image) -> object:
    """Return the EXIF orientation: 1 to 8, or whatever a broken block holds."""
    return image.getexif().get(_EXIF_ORIENTATION, 1)
