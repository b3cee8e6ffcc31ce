"""What of an image is scored: all channels or luma, with or without its border."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from benchmarks.scores.metric import levels

Channel = Literal["rgb", "y"]
MOST_CROPPED = 128
"""Pixels that can be cut off at each border."""


def viewed(image: Tensor, channel: Channel, crop: int) -> Tensor:
    """Return the 8-bit levels (N,C,H − 2 crop,W − 2 crop) that are scored, in the image's dtype; C is 1 for luma.

    Args:
        image: (N,C,H,W), multiples of 1/255.
        channel: `rgb`, all channels as they are; `y`, luma.
        crop: pixels cut off at each border; what is left may be empty.
    """
    inside = levels(cropped(image, crop))
    return luma(inside) if channel == "y" else inside


def cropped(image: Tensor, crop: int) -> Tensor:
    """Return an image without `crop` pixels at each border, a view; it may be empty."""
    height, width = image.shape[-2:]
    return image[..., crop : max(crop, height - crop), crop : max(crop, width - crop)]


def luma(rgb: Tensor) -> Tensor:
    """Return MATLAB's `rgb2ycbcr` luma (N,1,H,W) of the levels 0 to 255 of a colour image, in its dtype.

    Y = 16 + (65.481 R + 128.553 G + 24.966 B)/255, rounded to 8 bit as MATLAB does, halves up: ITU-R BT.601, 16 to 235.
    A gray image (N,1,H,W) is taken as luma itself and stays as it is.
    """
    if rgb.shape[1] == 1:
        return rgb
    r, g, b = rgb.double().unbind(dim=1)
    # Written out and not a matrix product, so that a pixel's sum has one order everywhere.
    y = (65.481 * r).add_(g, alpha=128.553).add_(b, alpha=24.966).div_(255).add_(16.5).floor_()
    return y.to(rgb.dtype)[:, None]


def channel_word(channel: Channel) -> str:
    """Return the channels as signatures have them."""
    return "y601" if channel == "y" else "rgb"
