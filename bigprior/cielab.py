"""The chroma plane of CIE L*a*b*, differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
"""Linear sRGB to CIE XYZ; as in scikit-image."""
WHITE = (0.95047, 1.0, 1.08883)
"""Illuminant D65, 2° observer."""
SMOOTHING = 1.0
"""Added to squared distances in the ab plane, so that the root has a derivative at 0."""
UNIT = 10.0
"""What losses divide distances by: then they are near 1."""


def chroma_plane(image: Tensor) -> Tensor:
    """Return a* and b* (N,2,H,W) of sRGB images (N,3,H,W), clipped to the cube; differentiable inside it."""
    rgb = image.clamp(0, 1)
    # The power of a clamped argument: where its branch is not taken, its derivative must be finite too.
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0.04) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    matrix = torch.tensor(XYZ_FROM_RGB, dtype=image.dtype, device=image.device)
    white = torch.tensor(WHITE, dtype=image.dtype, device=image.device)
    xyz = torch.einsum("oc,nchw->nohw", matrix / white[:, None], linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(0.008) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(dim=1)
    return torch.stack([500 * (x - y), 200 * (y - z)], dim=1)


def ab_distance(image: Tensor, other: Tensor) -> Tensor:
    """Return √(‖Δab‖² + 1) per pixel (N,H,W), after clipping both to the RGB cube.

    AuC is 100 (1 − E min(⌈‖Δab‖⌉, 150)/150), so the mean of this is AuC but for rounding.
    """
    return ((chroma_plane(image) - chroma_plane(other)).square().sum(dim=1) + SMOOTHING).sqrt()
