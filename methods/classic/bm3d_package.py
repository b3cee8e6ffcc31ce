"""BM3D, its authors' implementation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import bm3d
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.tiles import windows
from datasets.observation import Observation
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level

Floats = NDArray[np.float64]
WHOLE = 1400 * 1400
"""Pixels up to which an image is handed over in one piece: the package takes a gigabyte for a million of them."""
SIDE = 1400
"""Of the tiles of larger images."""
PERIOD = 9
"""Of the package's grid of reference patches, 3 pixels apart: the tiles begin at multiples, so theirs are the same."""
OVERLAP = 108
"""Each of two stages looks 52 pixels around: a group's patch, the search from the group's reference, another patch."""


@dataclass(frozen=True)
class BM3DPackage(Method):
    """The `bm3d` package, profile "np" (its default), both stages, handed double precision, on one CPU thread.

    Gray images go through `bm3d.bm3d`; colour images through `bm3d.bm3d_rgb` in its opponent colour space, with blocks
    matched in luminance (C-BM3D). σ is used as given; where it is 0 the image is y. How much of the result is
    prior is not told by the package, so the restoration is not decoupled.

    Images over 1.96 megapixels are handed over in overlapping tiles, whose reference patches are those of the whole and
    whose colours are scaled as those of the whole. The result is near that of the whole and not equal: on strips of
    photographs at σ 25 single pixels differ by up to 0.02, all by 0.0002 in the mean.

    Source: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain
    Collaborative Filtering", IEEE TIP 16(8), 2007; the package implements Y. Mäkinen, L. Azzari and A. Foi,
    "Collaborative Filtering of Correlated Noise", IEEE TIP 2020, which reduces to BM3D for white noise.
    """

    name: ClassVar[str] = "bm3d"
    summary: ClassVar[str] = "block matching and 3-D filtering, the authors' package"
    citation: ClassVar[str] = (
        "K. Dabov et al., Image denoising by sparse 3-D transform-domain collaborative filtering, IEEE TIP 2007"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = False
    uses_sigma: ClassVar[bool] = True
    warm_up: ClassVar[bool] = False

    def restore(self, observation: Observation) -> Restoration:
        return Restoration(bm3d_package(observation.y, noise_level(observation)))


def bm3d_package(y: Tensor, sigma: Tensor) -> Tensor:
    """Return BM3D(y) of a batch y (N,1|3,H,W) with σ (N,) on the scale of y; y itself where σ = 0."""
    return torch.stack([_one(image, float(level)) for image, level in zip(y, sigma, strict=True)])


def _one(image: Tensor, sigma: float) -> Tensor:
    if sigma == 0:
        return image.clone()
    if image.shape[1] * image.shape[2] > WHOLE:
        return _in_tiles(image, sigma)
    pixels = _pixels(image)
    if pixels.shape[2] == 1:
        return _tensor(bm3d.bm3d(pixels[..., 0], sigma, _profile())[..., None], image)
    return _tensor(bm3d.bm3d_rgb(pixels, sigma, _profile()), image)


def _profile() -> bm3d.BM3DProfile:
    profile = bm3d.BM3DProfile()
    # With more threads the sums of the aggregation change order, and the last bits from run to run.
    profile.num_threads = 1
    return profile


def _pixels(image: Tensor) -> Floats:
    """Return (H,W,C) of an image (C,H,W)."""
    return np.ascontiguousarray(image.detach().cpu().double().numpy().transpose(1, 2, 0))


def _tensor(pixels: Floats, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).to(like)


def _in_tiles(image: Tensor, sigma: float) -> Tensor:
    """What the package does with the whole image (C,H,W), the colour space and its scaling included, tile by tile."""
    restored = torch.empty_like(image)
    rows, columns = (windows(n, SIDE, OVERLAP, multiple=PERIOD) for n in image.shape[1:])
    scaling = Scaling.of(image) if len(image) == 3 else None
    for row, column in itertools.product(rows, columns):
        pixels = _pixels(image[:, row.low : row.high, column.low : column.high])
        if scaling is None:
            found = bm3d.bm3d(pixels[..., 0], sigma, _profile())[..., None]
        else:
            found = scaling.back(bm3d.bm3d(scaling.there(pixels), scaling.sigma(sigma), _profile()))
        restored[:, row.start : row.stop, column.start : column.stop] = _tensor(found[row.kept, column.kept], image)
    return restored


@dataclass(frozen=True)
class Scaling:
    """The package's opponent colours, each scaled from 0 to 1 over the whole image.

    Attributes:
        matrix: from RGB to opponent colours (3,3).
        low, high: the least and the largest opponent colours of the image (3,).
    """

    matrix: Floats
    low: Floats
    high: Floats

    @staticmethod
    def of(image: Tensor) -> Scaling:
        """Return that of an image (3,H,W)."""
        matrix = bm3d.rgb_to(np.diag([1.0, 1.0, 0.5])[None], "opp")[4]  # of any colours
        bands = [_pixels(band) @ matrix.T for band in image.split(SIDE, dim=1)]
        return Scaling(matrix, np.min([b.min((0, 1)) for b in bands], 0), np.max([b.max((0, 1)) for b in bands], 0))

    def there(self, pixels: Floats) -> Floats:
        """Return the scaled opponent colours of RGB pixels (H,W,3)."""
        return (pixels @ self.matrix.T - self.low) / (self.high - self.low)

    def back(self, colours: Floats) -> Floats:
        """Return RGB pixels (H,W,3)."""
        return bm3d.rgb_to(colours, "opp", True, self.high, self.low)[0]

    def sigma(self, sigma: float) -> Floats:
        """Return σ of the noise in the scaled opponent colours (1,1,3)."""
        return (sigma * np.sqrt((self.matrix**2).sum(axis=1)) / (self.high - self.low)).reshape(1, 1, 3)
