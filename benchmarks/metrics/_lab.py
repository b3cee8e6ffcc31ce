"""The chroma plane of CIE L*a*b*."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.metrics.base import levels

XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
"""Linear sRGB to CIE XYZ."""
WHITE = (0.95047, 1.0, 1.08883)
"""Illuminant D65, 2° observer."""


def chroma(image: Tensor) -> Tensor | None:
    """Return a* and b* (N,2,H,W), float64, of an sRGB image (N,3,H,W); None for a gray one (N,1,H,W).

    The constants are those of `skimage.color.rgb2lab`.
    """
    if image.shape[1] == 1:
        return None
    rgb = levels(image).double() / 255
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    matrix = rgb.new_tensor(XYZ_FROM_RGB) / rgb.new_tensor(WHITE)[:, None]
    r, g, b = linear.unbind(dim=1)
    # Not a matrix product: written out, the sum of a pixel has one order on every machine and for every size.
    xyz = torch.stack([row[0] * r + row[1] * g + row[2] * b for row in matrix], dim=1)
    x, y, z = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(dim=1)
    return torch.stack([500 * (x - y), 200 * (y - z)], dim=1)


def chroma_distance(reference: Tensor, image: Tensor) -> Tensor:
    """Return the distance (N,H,W) in the ab plane between a reference's chroma and an image."""
    found = chroma(image)
    assert found is not None
    a, b = (found - reference).unbind(dim=1)
    return (a * a + b * b).sqrt()
