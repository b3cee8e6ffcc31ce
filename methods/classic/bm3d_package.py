"""BM3D, its authors' implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import bm3d
import numpy as np
import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level


@dataclass(frozen=True)
class BM3DPackage(Method):
    """The `bm3d` package, profile "np" (its default), both stages, handed double precision, on one CPU thread.

    Gray images go through `bm3d.bm3d`; colour images through `bm3d.bm3d_rgb` in its opponent colour space, with blocks
    matched in luminance (C-BM3D). σ is used as given; where it is 0 the image is y. How much of the result is
    prior is not told by the package, so the restoration is not decoupled.

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
    profile = bm3d.BM3DProfile()
    # With more threads the sums of the aggregation change order, and the last bits from run to run.
    profile.num_threads = 1
    pixels = image.detach().cpu().double().numpy()
    if len(pixels) == 1:
        restored = bm3d.bm3d(pixels[0], sigma, profile)[None]
    else:
        restored = bm3d.bm3d_rgb(np.ascontiguousarray(pixels.transpose(1, 2, 0)), sigma, profile).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(restored)).to(image)
