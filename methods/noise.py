"""Noise level estimation for blind denoising."""

from __future__ import annotations

import torch
from scipy.special import gammaincinv
from torch import Tensor
from torch.nn.functional import avg_pool2d, unfold

PATCH = 8
"""Side of the patches; smaller on images that hold too few of them."""
SAMPLES_PER_DIMENSION = 8
"""The least number of patches per dimension of a covariance."""
STRIP = 32
"""Rows of patches that are unfolded at a time, which bounds the memory on large images."""
CONFIDENCE = 0.99
"""Share of the flat patches that are accepted as weakly textured."""
SELECTIONS = 3
"""How many times the weakly textured patches are selected."""


def estimate_sigma(y: Tensor) -> Tensor:
    """Estimate the standard deviation of additive white Gaussian noise from the noisy image alone.

    The patches of an image lie near a subspace, so the small eigenvalues of their covariance are those of the noise:
    they scatter around σ². Starting from all eigenvalues, the largest is discarded until the mean of the rest is their
    median; that mean is σ². The patches span all channels, and because the channels of an image are alike, most
    directions hold nothing but noise. A gray image has no such directions to spare; there the estimate is repeated on
    the patches whose gradient energy is below what 99% of flat patches have at the σ of the last estimate.

    Args:
        y: (N,C,H,W), on any scale; the noise has one level over all channels of an image.

    Returns:
        σ (N,) on the scale and in the dtype of y; finite and non-negative, 0 for a constant image.

    Source: G. Chen, F. Zhu and P. A. Heng, "An Efficient Statistical Method for Image Noise Level Estimation",
    ICCV 2015; for gray images with the patch selection of X. Liu, M. Tanaka and M. Okutomi, "Single-Image Noise Level
    Estimation for Blind Denoising", IEEE TIP 22(12), 2013. Deviations: the patch side, 8, shrinks where the image has
    fewer than eight patches per dimension; the selection is added to the former, takes three rounds and accepts 99%
    instead of 99.9999%.
    """
    return torch.stack([_variance(image) for image in y]).sqrt().to(y.dtype)


def _variance(image: Tensor) -> Tensor:
    side = _patch_side(*image.shape)
    variance = _noise_variance(_covariance_spectrum(image, side))
    if len(image) > 1 or side < 3:
        return variance
    energy = _gradient_energy(image, side)
    limit = _flat_gradient_energy(side)
    for _ in range(SELECTIONS):
        weak = energy <= limit * variance
        if weak.sum() < SAMPLES_PER_DIMENSION * side * side:
            break
        variance = _noise_variance(_covariance_spectrum(image, side, weak))
    return variance


def _patch_side(channels: int, height: int, width: int) -> int:
    for side in range(PATCH, 1, -1):
        patches = (height - side + 1) * (width - side + 1)
        if min(height, width) >= side and patches >= SAMPLES_PER_DIMENSION * channels * side * side:
            return side
    return 1


def _covariance_spectrum(image: Tensor, side: int, chosen: Tensor | None = None) -> Tensor:
    """Return the eigenvalues, ascending, of the covariance of the patches of one image (C,H,W).

    All patches, or those whose top left corner is `chosen` (H−side+1,W−side+1).
    """
    # Double precision: the smallest eigenvalues matter and may be 1e-6 of the largest.
    centred = (image - image.mean(dim=(1, 2), keepdim=True)).double()
    size = len(image) * side * side
    gram, total, count = centred.new_zeros(size, size), centred.new_zeros(size), 0
    rows = image.shape[1] - side + 1
    for top in range(0, rows, STRIP):
        bottom = min(top + STRIP, rows)
        patches = unfold(centred[None, :, top : bottom + side - 1], side)[0]
        if chosen is not None:
            patches = patches[:, chosen[top:bottom].flatten()]
        gram += patches @ patches.T
        total += patches.sum(dim=1)
        count += patches.shape[1]
    mean = total / count
    eigenvalues: Tensor = torch.linalg.eigvalsh(gram / count - torch.outer(mean, mean))
    return eigenvalues


def _noise_variance(eigenvalues: Tensor) -> Tensor:
    """Return the mean of the smallest eigenvalues (ascending order given), as many as have a median at their mean."""
    eigenvalues = eigenvalues.clamp(min=0)
    for kept in range(len(eigenvalues), 1, -1):
        values = eigenvalues[:kept]
        mean = values.mean()
        if (values > mean).sum() >= (values < mean).sum():
            return mean
    return eigenvalues[0]


def _gradient_energy(image: Tensor, side: int) -> Tensor:
    """Return, for every patch of a gray image, the sum of its squared central differences inside it."""
    across = ((image[:, :, 2:] - image[:, :, :-2]) / 2).square()
    down = ((image[:, 2:] - image[:, :-2]) / 2).square()
    terms = side * (side - 2)
    return terms * (avg_pool2d(across, (side, side - 2), 1) + avg_pool2d(down, (side - 2, side), 1))[0]


def _flat_gradient_energy(side: int) -> float:
    """Return the gradient energy that a patch of pure unit noise stays under with a probability near CONFIDENCE.

    Approximated, as in the paper, by a gamma distribution with the mean of the energy and the rank of its quadratic
    form: side (side − 2) terms in each direction, of mean 1/2; images of period 2 in both directions, four of them,
    have no central differences.
    """
    rank, trace = side * side - 4, side * (side - 2)
    return float(gammaincinv(rank / 2, CONFIDENCE)) * 2 * trace / rank
