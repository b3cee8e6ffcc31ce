"""The chroma plane of CIE L*a*b*."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.scores.metric import levels
from bigprior.cielab import WHITE, XYZ_FROM_RGB


def chroma(image: Tensor) -> Tensor | None:
    """Return a* and b* (N,2,H,W), float64, of an sRGB image (N,3,H,W); None for a gray one (N,1,H,W).

    The constants are those of `skimage.color.rgb2lab`.
    """
    if image.shape[1] == 1:
        return None
    # There are 256 levels, and so 256 powers to compute. The last entry is for NaN.
    level = torch.arange(256, dtype=torch.float64, device=image.device) / 255
    linear_of_level = torch.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)
    linear_of_level = torch.cat([linear_of_level, level.new_full((1,), torch.nan)])
    r, g, b = linear_of_level[levels(image).nan_to_num(nan=256).long()].unbind(dim=1)
    # Not a matrix product: written out, the sum of a pixel has one order on every machine and for every size.
    planes = []
    for row, white in zip(XYZ_FROM_RGB, WHITE, strict=True):
        plane = (row[0] / white * r).add_(g, alpha=row[1] / white).add_(b, alpha=row[2] / white)
        planes.append(torch.where(plane > 0.008856, plane ** (1 / 3), (7.787 * plane).add_(16 / 116)))
    x, y, z = planes
    return torch.stack([(x - y).mul_(500), (y - z).mul_(200)], dim=1)


def chroma_distance(reference: Tensor, image: Tensor) -> Tensor:
    """Return the distance (N,H,W) in the ab plane between a reference's chroma and an image."""
    found = chroma(image)
    assert found is not None
    a, b = (found - reference).unbind(dim=1)
    return (a * a + b * b).sqrt()
