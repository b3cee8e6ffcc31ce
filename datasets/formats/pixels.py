"""The rules that every format shares: size, full scale, alpha and orientation."""

from __future__ import annotations

from enum import Enum

import numpy as np

SMALLEST_SIDE = 16
"""Pixels."""
MOST_PIXELS = 100_000_000
"""Width times height."""
SEVERAL = "holds {} pages or frames: save the one you mean as a file of its own"
BROKEN = "is truncated or broken ({}): copy or download it again"


class Refused(Exception):
    """Why a file is not taken; `read_image` adds its name."""


class Alpha(Enum):
    """What the last channel of stored samples is.

    Attributes:
        NONE: a colour, as the others.
        STRAIGHT: the opacity a of the colours c: over white, c a + 1 - a.
        PREMULTIPLIED: the opacity a of colours stored as p = c a: over white, p + 1 - a.
    """

    NONE = 0
    STRAIGHT = 1
    PREMULTIPLIED = 2


def check_size(width: int, height: int) -> None:
    """Check what a file declares, before anything of that size is made.

    Raises:
        Refused: a side is shorter than `SMALLEST_SIDE`, or there are more than `MOST_PIXELS`.
    """
    if min(height, width) < SMALLEST_SIDE:
        raise Refused(f"is tiny, {width}x{height}: both sides must have {SMALLEST_SIDE} pixels or more")
    if height * width > MOST_PIXELS:
        size = f"{width}x{height}, {height * width / 1e6:.1f} megapixels"
        raise Refused(f"is {size}, over the limit of {MOST_PIXELS / 1e6:.0f}: cut it or scale it down")


def check_numbers(dtype: np.dtype) -> None:
    """Check a type of numbers.

    Raises:
        Refused: it is not uint8, uint16 or a float, so its full scale is not known.
    """
    if dtype.kind != "f" and dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise Refused(f"holds {dtype.name} numbers: save it as uint8, uint16 or as floats in [0,1]")


def composed(samples: np.ndarray, alpha: Alpha = Alpha.NONE) -> np.ndarray:
    """Return the stored samples (H,W,C) as float32 in [0,1], composited over white if the last channel is alpha.

    Raises:
        Refused: the numbers are of a type of unknown scale, floats outside [0,1], or no colours that alpha allows.
    """
    pixels = _unit(samples)
    if alpha is Alpha.NONE:
        return pixels
    colour, opacity = pixels[..., :-1], pixels[..., -1:]
    if alpha is Alpha.PREMULTIPLIED and (colour > opacity).any():
        raise Refused("stores premultiplied colours above their alpha: save it with straight alpha or without")
    over: np.ndarray = (colour * opacity if alpha is Alpha.STRAIGHT else colour) + (1 - opacity)
    return over


def upright(pixels: np.ndarray, orientation: object) -> np.ndarray:
    """Return the array (H,W,C) without its EXIF or TIFF orientation (tag 274, 1 to 8; others are taken as 1)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _unit(samples: np.ndarray) -> np.ndarray:
    check_numbers(samples.dtype)
    if samples.dtype.kind == "u":
        return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        pixels = samples.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise Refused("holds NaN or infinite values: mend it, or take it out of the folder")
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        raise Refused(f"holds values from {low:.8g} to {high:.8g}: scale it to [0,1]")
    return pixels
