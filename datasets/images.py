"""Read an image file into a tensor, by stated rules, or say in one line why not."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from datasets.errors import SuiteError

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", ".webp")
"""Lower-case endings of the files that `read_image` takes."""
SMALLEST_SIDE = 16

_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
_GRAY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBX")
_TIFF_MAGIC = (b"II*\0", b"MM\0*")
_SEVERAL = "holds {} pages or frames: save the one you mean as a file of its own"
_BITS_PER_SAMPLE, _PHOTOMETRIC, _EXIF_ORIENTATION = 258, 262, 274
_WHITE_IS_ZERO = 0


class _Refused(Exception):
    """Why a file is not taken; `read_image` adds its name."""


def read_image(path: str | Path) -> Tensor:
    """Read an image as (C,H,W) float32 in [0,1], C = 1 for gray and 3 for RGB.

    =========================  =======================================================================
    file                       result
    =========================  =======================================================================
    8-bit gray, 1-bit          C = 1, divided by 255 (1-bit: 0 and 1)
    8-bit RGB                  C = 3, divided by 255
    palette                    C = 3, whatever the palette holds
    transparency               composited over white, then as without: gray + alpha stays C = 1
    16-bit gray, RGB, RGBA     the same, divided by 65535 (never cut to 8 bit)
    float TIFF                 taken as it is if finite and in [0,1], otherwise refused
    .npy                       (H,W), (H,W,1) or (H,W,3); uint8, uint16 or float, by the rules above
    EXIF or TIFF orientation   applied
    colour profile, gamma      ignored: the stored numbers are the image
    several pages or frames    refused, but a JPEG with pictures behind the first (MPO) gives the first
    CMYK, YCbCr or Lab modes   refused: their RGB depends on a profile
    12-bit, 32-bit integers    refused: their range is not known
    odd and non-square sizes   kept as they are, no crop and no padding
    a side under 16 pixels     refused as tiny
    =========================  =======================================================================

    Formats: PNG, JPEG, TIFF, BMP, WebP by their content, and NumPy's .npy by its ending.

    Raises:
        SuiteError: the file is missing, truncated, broken, not an image or refused above; one line with its name,
            what is wrong and what to do.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SuiteError(
            f"image '{path}' cannot be read ({error.strerror}): check the path and its permissions."
        ) from error
    try:
        if not data:
            raise _Refused("is empty (0 bytes): copy or download it again")
        pixels = _read_array(data) if path.suffix.lower() == ".npy" else _read_picture(data)
        return torch.from_numpy(np.ascontiguousarray(_checked(pixels).transpose(2, 0, 1)))
    except _Refused as refusal:
        raise SuiteError(f"image '{path}' {refusal}.") from refusal


def _read_array(data: bytes) -> np.ndarray:
    """Return the pixels (H,W,C) of a .npy file in [0,1], not yet checked."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _Refused("is not a readable .npy file of numbers: save it again with numpy.save") from error
    shape: tuple[int, ...] = array.shape if isinstance(array, np.ndarray) else ()
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise _Refused(f"has shape {shape}: save one array (H,W), (H,W,1) or (H,W,3)")
    return _unit(np.atleast_3d(array))


def _read_picture(data: bytes) -> np.ndarray:
    """Return the pixels (H,W,C) of an encoded picture in [0,1], not yet checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata and large pictures
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                raise _Refused(_SEVERAL.format(frames))
            image.load()  # finds truncation and broken data, also for the deep pictures that OpenCV decodes below
    except UnidentifiedImageError as error:
        if data[:4] in _TIFF_MAGIC:  # Pillow does not know colour TIFFs of floats
            return _deep(data, gray=False, orientation=1)
        raise _Refused("is not a PNG, JPEG, TIFF, BMP or WebP image: convert it or take it away") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise _Refused(f"is truncated or broken ({' '.join(str(error).split())}): copy or download it again") from error
    if image.mode not in _GRAY_MODES + _COLOUR_MODES:
        raise _Refused(f"is in mode {image.mode}, whose RGB values depend on a profile: convert it to RGB")
    if _is_deep(image, data):
        # OpenCV turns TIFFs upright itself, and leaves PNGs as they are stored.
        orientation = 1 if image.format == "TIFF" else image.getexif().get(_EXIF_ORIENTATION, 1)
        return _deep(data, image.mode in _GRAY_MODES, orientation)
    return _shallow(image)


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Return whether a channel has more than 8 bits: Pillow opens 16-bit RGB as RGB and drops the lower byte."""
    if image.format == "TIFF":
        bits = max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
        if bits not in (1, 2, 4, 8, 16, 32, 64):
            raise _Refused(f"has {bits} bits per channel, of unknown full scale: convert it to 8 or 16 bit")
        if bits > 8 and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # type: ignore[attr-defined]
            raise _Refused("stores white as zero, which readers disagree on above 8 bit: convert it to black as zero")
        return bool(bits > 8)
    return image.format == "PNG" and data[24] == 16  # the bit depth in IHDR, which is always the first chunk


def _shallow(image: Image.Image) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    gray = image.mode in _GRAY_MODES
    if image.has_transparency_data:
        return _over_white(_unit(np.asarray(image.convert("LA" if gray else "RGBA"))))
    return _unit(np.atleast_3d(np.asarray(image.convert("L" if gray else "RGB"))))


def _deep(data: bytes, gray: bool, orientation: int) -> np.ndarray:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a broken TIFF is told once, by us
    try:
        pages = list(cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[1])
    except cv2.error:
        pages = []
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not pages:
        raise _Refused("is truncated, broken or a kind of TIFF or PNG that cannot be read: copy it again or convert it")
    if len(pages) > 1:
        raise _Refused(_SEVERAL.format(len(pages)))
    pixels = _unit(np.atleast_3d(pages[0]))
    if pixels.shape[2] == 4:
        pixels = _over_white(pixels)
    if pixels.shape[2] == 3:
        pixels = pixels[..., :1] if gray else pixels[..., ::-1]  # OpenCV's order is BGR
    return _upright(pixels, orientation)


def _unit(array: np.ndarray) -> np.ndarray:
    """Return the array as float32 with full scale 1."""
    if array.dtype in (np.uint8, np.uint16):
        return array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    raise _Refused(f"holds {array.dtype} numbers: save it as uint8, uint16 or as floats in [0,1]")


def _over_white(pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[..., -1:]
    composed: np.ndarray = pixels[..., :-1] * alpha + (1 - alpha)
    return composed


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the EXIF orientation of an array (H,W,C)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _checked(pixels: np.ndarray) -> np.ndarray:
    height, width, channels = pixels.shape
    if channels not in (1, 3):
        raise _Refused(f"has {channels} channels: save it as gray, RGB or RGBA")
    if min(height, width) < SMALLEST_SIDE:
        raise _Refused(f"is tiny, {width}x{height}: both sides must have {SMALLEST_SIDE} pixels or more")
    if not np.isfinite(pixels).all():
        raise _Refused("holds NaN or infinite values: mend it, or take it out of the folder")
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        raise _Refused(f"holds values from {low:g} to {high:g}: scale it to [0,1]")
    return pixels
