"""A fast approximate membrane over holes, on any device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

SWEEPS = 6
"""Jacobi sweeps per level."""
LARGE = 1 << 22
"""Pixels from which the channels are filled one after the other: they do not depend on each other, and a sweep takes
five times the memory of what it works on."""


def smooth_fill(image: Tensor, mask: Tensor) -> Tensor:
    """Return the image (N,C,H,W) with its holes filled by a nearly harmonic surface; observed pixels are untouched.

    Coarse to fine: the observed pixels are averaged down to a few pixels, and on the way up every level starts from
    the enlarged fill of the coarser one and takes `SWEEPS` Jacobi sweeps of Δx = 0 in the hole. Exact harmonic
    inpainting solves a sparse system per image instead; this is for batches and for training.

    Args:
        mask: (N,1,H,W), 1 where a pixel was observed. An image without any is filled with 0.5.
    """
    h, w = image.shape[-2:]
    if image.shape[1] > 1 and h * w >= LARGE:
        return torch.cat([smooth_fill(channel, mask) for channel in image.split(1, dim=1)], dim=1)
    if min(h, w) <= 2:
        known = mask.sum(dim=(2, 3), keepdim=True)
        mean = torch.where(known > 0, (image * mask).sum(dim=(2, 3), keepdim=True) / known.clamp_min(1), 0.5)
        return torch.where(mask > 0, image, mean)
    even = (0, w % 2, 0, h % 2)
    share = avg_pool2d(pad(mask, even, mode="replicate"), 2)
    total = avg_pool2d(pad(image * mask, even, mode="replicate"), 2)
    coarse = smooth_fill(total / share.clamp_min(0.25), (share > 0).to(mask.dtype))
    x = interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., :h, :w]
    x = torch.where(mask > 0, image, x)
    for _ in range(SWEEPS):
        p = pad(x, (1, 1, 1, 1), mode="replicate")
        mean = (p[..., 1:-1, :-2] + p[..., 1:-1, 2:] + p[..., :-2, 1:-1] + p[..., 2:, 1:-1]) / 4
        x = torch.where(mask > 0, image, mean)
    return x
