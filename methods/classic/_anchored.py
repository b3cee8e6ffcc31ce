"""Anchored regression: which of a few linear maps takes a patch of the small image to the missing detail."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad, unfold

SIDE = 7
"""Pixels of y across a patch."""
SPREAD = 1.5
"""Standard deviation, in pixels of y, of the window through which a patch is compared with the anchors."""


def centred_patches(y: Tensor) -> Tensor:
    """Return the patch around every pixel of y (N,C,h,w) less its mean, (N,C,h·w,49).

    Beyond its borders y repeats its last row and column.
    """
    n, c, h, w = y.shape
    padded = pad(y, (SIDE // 2,) * 4, mode="replicate")
    patches = unfold(padded.reshape(n * c, 1, *padded.shape[-2:]), SIDE).mT
    return (patches - patches.mean(dim=-1, keepdim=True)).view(n, c, h * w, SIDE * SIDE)


def directions(patches: Tensor) -> Tensor:
    """Return patches (…,49) through a Gaussian window, of unit length (0 stays 0)."""
    line = torch.arange(SIDE, dtype=patches.dtype, device=patches.device) - SIDE // 2
    weight = torch.exp(-line.square() / (2 * SPREAD**2))
    seen = patches * torch.outer(weight, weight).flatten()
    return seen / seen.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(seen.dtype).tiny)


def nearest_anchor(patches: Tensor, anchors: Tensor) -> Tensor:
    """Return for every patch (P,49) the number of the anchor (K,49) that it is nearest to, up to sign."""
    found = [(directions(part) @ anchors.mT).abs().argmax(dim=1) for part in patches.split(2**16)]
    return torch.cat(found)


def detail(y: Tensor, guide: Tensor, anchors: Tensor, maps: Tensor) -> Tensor:
    """Return what the maps add to the bicubic enlargement of y, (N,C,s·h,s·w).

    Args:
        y: (N,C,h,w).
        guide: (N,1,h,w), whose patches choose the maps: luma.
        anchors: (K,49), of unit length.
        maps: (K,49,s²), from a centred patch of y to the s×s pixels of x that lie in its middle pixel.
    """
    n, c, h, w = y.shape
    scale = math.isqrt(maps.shape[-1])
    chosen = torch.stack([nearest_anchor(patches[0], anchors) for patches in centred_patches(guide)])
    patches = centred_patches(y)
    found = y.new_zeros(n, c, h * w, scale**2)
    for i in range(n):
        order = chosen[i].argsort(stable=True)
        ends = chosen[i].bincount(minlength=len(maps)).cumsum(dim=0).tolist()
        for k, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if begin < end:
                own = order[begin:end]
                found[i][:, own] = patches[i][:, own] @ maps[k]
    pixels = found.view(n, c, h, w, scale, scale).permute(0, 1, 2, 4, 3, 5)
    return pixels.reshape(n, c, scale * h, scale * w)
