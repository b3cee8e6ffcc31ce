"""OpenCV's inpainting, channel by channel in float32 (it takes several channels in 8 bit only)."""

from __future__ import annotations

import cv2
import numpy as np

from methods.classic._inpainting import Bools, Floats


def inpaint_channels(image: Floats, hole: Bools, radius: float, algorithm: int) -> Floats:
    """Return `cv2.inpaint` of each channel of an image (H,W,C) of any scale.

    The radius is from 1 to 100; OpenCV takes the nearer end for any other.
    """
    mask = hole.astype(np.uint8)
    channels = np.moveaxis(image.astype(np.float32), -1, 0)
    filled = [cv2.inpaint(np.ascontiguousarray(channel), mask, radius, algorithm) for channel in channels]
    return np.stack(filled, axis=-1).astype(np.float64)


def opencv_reach(radius: float) -> int:
    """Return how far from the hole, along either axis, `cv2.inpaint` looks.

    Means are over `radius`, rounded, and gradients look one pixel further; distances from the boundary, which are known
    as far as the means look, one more.
    """
    return max(1, round(radius)) + 3
