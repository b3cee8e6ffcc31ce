"""A denoiser of square images on images of any shape: overlapping windows, and their mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bigprior.priors.scene.samplers.base import Denoiser


@dataclass(frozen=True)
class Windowed:
    """D of an image as the weighted mean of D of windows of it.

    Sides of at most `side` pixels are handed over whole. A longer side is cut into as few windows of `side` pixels as
    overlap by a third of that or more, evenly placed. A window counts less towards those of its borders that are inside
    the image, linearly, so that the mean has no seams.

    Args:
        denoise: takes images with sides of `side` pixels or fewer.
        side: in pixels; what it was trained on.

    Source: O. Bar-Tal et al., "MultiDiffusion: Fusing Diffusion Paths for Controlled Image Generation", ICML 2023 (the
    mean of D over windows). Deviation: the weights.
    """

    denoise: Denoiser
    side: int = 64

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return D(x; σ), x (N,3,H,W) with sides that the denoiser takes, or longer ones."""
        height, width = x.shape[-2:]
        tops, lefts = starts(height, self.side), starts(width, self.side)
        if len(tops) == len(lefts) == 1:
            return self.denoise(x, sigma)
        h, w = min(height, self.side), min(width, self.side)
        weight = x.new_zeros(1, 1, height, width)
        total = torch.zeros_like(x)
        for top in tops:
            for left in lefts:
                place = (..., slice(top, top + h), slice(left, left + w))
                rows, columns = tent(top, h, height).to(x), tent(left, w, width).to(x)
                own = rows[:, None] * columns
                total[place] += own * self.denoise(x[place], sigma)
                weight[place] += own
        return total / weight


def starts(length: int, side: int) -> list[int]:
    """Return where the windows of an axis begin: the first at 0, the last at length − side."""
    if length <= side:
        return [0]
    count = 1 + -(-(length - side) // (side - side // 3))
    return [round(k * (length - side) / (count - 1)) for k in range(count)]


def tent(start: int, side: int, length: int) -> Tensor:
    """Return the weights (side,) of a window of an axis: at a border inside the image they rise from nearly 0."""
    at = torch.arange(side, dtype=torch.float64) + 0.5
    reach = side // 3
    rise = (at / reach).clamp_max(1) if start > 0 else torch.ones(side, dtype=torch.float64)
    fall = ((side - at) / reach).clamp_max(1) if start + side < length else torch.ones(side, dtype=torch.float64)
    return rise * fall
