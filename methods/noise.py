"""Noise level estimation for blind denoising."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import unfold

PATCH = 8
"""Side of the patches; smaller on images that hold too few of them."""
SAMPLES_PER_DIMENSION = 8
"""The least number of patches per dimension of the covariance."""
STRIP = 32
"""Rows of patches that are unfolded at a time, which bounds the memory on large images."""


def estimate_sigma(y: Tensor) -> Tensor:
    """Estimate the standard deviation of additive white Gaussian noise from the noisy image alone.

    The patches of a natural image lie near a subspace, so the small eigenvalues of their covariance are those of the
    noise: Gaussian around σ². Starting from all eigenvalues, the largest is discarded until the mean of the rest is
    their median; that mean is σ². The patches span all channels.

    Args:
        y: (N,C,H,W), on any scale; the noise has one level over all channels of an image.

    Returns:
        σ (N,) on the scale and in the dtype of y; finite and non-negative, 0 for a constant image.

    Source: G. Chen, F. Zhu and P. A. Heng, "An Efficient Statistical Method for Image Noise Level Estimation",
    ICCV 2015. Deviation: the patch side, 8, shrinks where the image has fewer than eight patches per dimension.
    """
    return torch.stack([_noise_variance(_covariance_spectrum(image)) for image in y]).sqrt().to(y.dtype)


def _patch_side(channels: int, height: int, width: int) -> int:
    for side in range(PATCH, 1, -1):
        patches = (height - side + 1) * (width - side + 1)
        if min(height, width) >= side and patches >= SAMPLES_PER_DIMENSION * channels * side * side:
            return side
    return 1


def _covariance_spectrum(image: Tensor) -> Tensor:
    """Return the eigenvalues, ascending, of the covariance of the patches of one image (C,H,W)."""
    side = _patch_side(*image.shape)
    # Double precision: the smallest eigenvalues matter and may be 1e-6 of the largest.
    centred = (image - image.mean(dim=(1, 2), keepdim=True)).double()
    rows = image.shape[1] - side + 1
    gram, total, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64), 0
    for top in range(0, rows, STRIP):
        strip = centred[None, :, top : min(top + STRIP, rows) + side - 1]
        patches = unfold(strip, side)[0]
        gram = gram + patches @ patches.T
        total = total + patches.sum(dim=1)
        count += patches.shape[1]
    mean = total / count
    return torch.linalg.eigvalsh(gram / count - torch.outer(mean, mean))


def _noise_variance(eigenvalues: Tensor) -> Tensor:
    """Return the mean of the smallest eigenvalues (ascending order given), as many as have a median at their mean."""
    eigenvalues = eigenvalues.clamp(min=0)
    for kept in range(len(eigenvalues), 1, -1):
        values = eigenvalues[:kept]
        mean = values.mean()
        if (values > mean).sum() >= (values < mean).sum():
            return mean
    return eigenvalues[0]
