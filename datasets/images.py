"""Read an image file into a tensor, by stated rules, or say in one line why not."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datasets.errors import SuiteError
from datasets.formats import npy, pillow, png, tiff
from datasets.formats.pixels import BROKEN, Refused

EXTENSIONS = (".bmp", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", ".webp")
"""Lower-case endings of the files that `read_image` takes."""


def read_image(path: str | Path) -> Tensor:
    """Read an image as (C,H,W) float32 in [0,1], C = 1 for gray and 3 for RGB.

    =========================  =======================================================================
    file                       result
    =========================  =======================================================================
    8-bit gray                 C = 1, divided by 255; 1, 2 and 4 bits are widened to 8
    8-bit RGB                  C = 3, divided by 255
    palette                    C = 3, whatever the palette holds
    transparency               composited over white, then as without: gray + alpha stays C = 1
    kinds of transparency      straight and premultiplied alpha, alpha of a palette, PNG's one colour
    16-bit gray, RGB           the same with and without alpha, divided by 65535 (never cut to 8 bit)
    float TIFF                 as it is if all stored numbers are finite and in [0,1], else refused
    .npy                       (H,W), (H,W,1) or (H,W,3); uint8, uint16 or float, by the rules above
    EXIF or TIFF orientation   applied
    colour profile, gamma      ignored: the stored numbers are the image
    several pages or frames    refused, but a JPEG with pictures behind the first (MPO) gives the first
    CMYK, YCbCr or Lab modes   refused: their RGB depends on a profile
    12-bit, 32-bit integers    refused, as signed ones and bool are: their range is not known
    channel besides alpha      refused, and so is a TIFF channel that is not said to be alpha
    compressed TIFF            every layout with deflate, the common ones in other ways; else refused
    odd and non-square sizes   kept as they are, no crop and no padding
    a side under 16 pixels     refused as tiny
    over 100 megapixels        refused as too large, before they are decoded
    =========================  =======================================================================

    Formats: PNG, JPEG, TIFF, BMP, WebP by their content, and NumPy's .npy by its ending.

    Raises:
        SuiteError: the file is missing, truncated, broken, not an image or refused above; one line with its name,
            what is wrong and what to do.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError, MemoryError) as error:
        why = getattr(error, "strerror", None) or str(error) or "not enough memory"
        raise SuiteError(f"image '{path}' cannot be read ({why}): check the path and its permissions.") from error
    try:
        if not data:
            raise Refused("is empty (0 bytes): copy or download it again")
        pixels = npy.read(data) if path.suffix.lower() == ".npy" else _read_picture(data)
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    except Refused as refusal:
        raise SuiteError(f"image '{path}' {refusal}.") from refusal
    except MemoryError as error:
        raise SuiteError(f"image '{path}' needs more memory than there is: cut it or scale it down.") from error
    except Exception as error:  # decoders fail in any way on a broken file
        raise SuiteError(f"image '{path}' {BROKEN.format(_why(error))}.") from error


def _why(error: Exception) -> str:
    """Return what a decoder says if it speaks of the file, not of itself, in a short line."""
    if not isinstance(error, (OSError, SyntaxError, ValueError, zlib.error)):
        return "its parts do not fit together"
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in str(error)).split())
    return words[:100] or "the decoder gives no reason"


def _read_picture(data: bytes) -> np.ndarray:
    """Return the pixels (H,W,C) of an encoded picture, by its first bytes."""
    if data.startswith(png.SIGNATURE):
        return png.read(data)
    if data.startswith(tiff.SIGNATURES):
        return tiff.read(data)
    return pillow.read(data, "BMP", "JPEG", "WEBP")
