"""Sparse patches over a dictionary learned from the noisy image (K-SVD)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import fold, unfold

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._colour import change, opponent_matrix
from methods.classic._dictionary import code, dct_dictionary, update
from methods.classic.kernels import WITHOUT, installed

BAND = 2**19
"""Patches held at once: 128 MiB of 8×8."""
ROWS = 256
"""Rows of an image that are in double precision at a time."""


@dataclass(frozen=True)
class KSVD(Method):
    """x̂_i = (λ y_i + Σ of the patch estimates at i)/(λ + n_i): φ_i = n_i/(λ + n_i), g their mean, f = y.

    n_i is the number of patches that cover pixel i. Every patch, less its mean, is coded by orthogonal matching
    pursuit with as few atoms as bring the residual to ‖r‖² ≤ (gain·σ)² n, n pixels a patch. The dictionary starts as
    the overcomplete DCT and is learned from the patches of the noisy image itself: `iterations` times, code them,
    then set each atom and its coefficients to (one power step towards) the best rank-one fit of what the other atoms
    leave over. Colour is coded channel by channel in the orthonormal opponent space, luma over the learned
    dictionary, chroma over the DCT; the fusion commutes with that transform. σ = 0 gives φ = 0.

    Args:
        patch: side of the square patches, in pixels (less on images that are smaller).
        atoms: K, the square of an integer.
        iterations: of K-SVD; 0 leaves the DCT.
        training: at most so many patches are learned from, drawn with a fixed seed from those that need an atom.
        gain: C of the error target.
        weight: λσ, λ = weight/σ with both on the [0,1] scale: the paper's 30/σ on the 255 scale.
        coarse: on the [0,1] scale; below this σ the number of training patches shrinks in proportion to σ, since
            each then takes more atoms and the learned dictionary gains less on the DCT.

    Sources: M. Elad and M. Aharon, "Image Denoising Via Sparse and Redundant Representations Over Learned
    Dictionaries", IEEE Transactions on Image Processing 15(12), 2006; the power step in place of a full SVD:
    R. Rubinstein, M. Zibulevsky and M. Elad, "Efficient Implementation of the K-SVD Algorithm using Batch Orthogonal
    Matching Pursuit", Technion CS-2008-08. Patch size, K, gain and λ are the papers'. Deviations: patches that the
    mean alone explains are not learned from; colour is decorrelated, not coded jointly (Mairal, Elad and Sapiro 2008).

    Raises:
        ValueError: `atoms` is not the square of an integer.
    """

    name: ClassVar[str] = "ksvd"
    summary: ClassVar[str] = "sparse patches over a dictionary learned from the noisy image (K-SVD)"
    citation: ClassVar[str] = (
        "M. Elad and M. Aharon, Image Denoising Via Sparse and Redundant Representations Over Learned Dictionaries, "
        "IEEE Trans. Image Processing, 2006"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    patch: Annotated[int, Within(2, 32)] = 8
    atoms: Annotated[int, Within(1, 4096)] = 256
    iterations: Annotated[int, Within(0, 1000)] = 15
    training: Annotated[int, Within(0)] = 10000
    gain: Annotated[float, Within(0, 100)] = 1.15
    weight: Annotated[float, Within(0.0001, 100)] = 30 / 255
    coarse: Annotated[float, Within(0.0001, 1)] = 20 / 255

    def __post_init__(self) -> None:
        super().__post_init__()
        dct_dictionary(1, self.atoms)  # says at once what is wrong with their number

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else (WITHOUT,)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        size = y.shape[-2:]
        side = min(self.patch, *size)
        sigma = noise_level(observation)
        down, across = (patches_over(length, side).to(y) for length in size)
        cover = torch.outer(down, across)[None, None]
        # n/(λ + n) with λ = weight/σ, in a form that is right at σ = 0.
        scaled = cover * sigma[:, None, None, None]
        phi = scaled / (self.weight + scaled)
        matrix = opponent_matrix(y.shape[1])
        # Thresholds decide which atoms are chosen: from the same numbers, every dtype makes the same choices.
        channels = torch.cat([change(rows.double(), matrix).float() for rows in y.split(ROWS, dim=2)], dim=2)
        totals = torch.stack([
            torch.stack([self._patch_sum(channel, float(s), side, learn=i == 0) for i, channel in enumerate(image)])
            for image, s in zip(channels, sigma, strict=True)
        ])  # fmt: skip
        prior = change(totals.to(y.dtype), matrix.T.to(y)) / cover
        return Restoration.fused(y, prior, phi)

    def _patch_sum(self, channel: Tensor, sigma: float, side: int, learn: bool) -> Tensor:
        """Return Σ of the patch estimates (H,W) of one channel (H,W), over the DCT or a dictionary learned from it."""
        total = torch.zeros_like(channel)
        target = (self.gain * sigma * side) ** 2
        dictionary = dct_dictionary(side, self.atoms)
        if sigma > 0 and learn:
            dictionary = self._learn(channel, side, dictionary, target, sigma)
        height, width = channel.shape
        for band in bands(height, width, side):
            patches = patches_of(channel[band], side)
            if sigma > 0:
                patches -= code(centred(patches), dictionary, target, limit(side)).residual
            total[band] += fold(patches.T[None], channel[band].shape, side)[0, 0]
        return total

    def _learn(self, channel: Tensor, side: int, dictionary: Tensor, target: float, sigma: float) -> Tensor:
        height, width = channel.shape
        energies = [centred(patches_of(channel[b], side)).square().sum(dim=1) for b in bands(height, width, side)]
        needy = torch.nonzero(torch.cat(energies) > target)[:, 0]
        order = torch.randperm(len(needy), generator=torch.Generator().manual_seed(0))
        count = int(self.training * min(1.0, sigma / self.coarse))
        corner = needy[order[:count]]
        places = width - side + 1
        windows = channel.unfold(0, side, 1).unfold(1, side, 1)[corner // places, corner % places]
        samples = centred(windows.flatten(1))
        if len(samples) == 0:
            return dictionary
        dictionary = dictionary.clone()
        for _ in range(self.iterations):
            update(samples, dictionary, code(samples, dictionary, target, limit(math.isqrt(samples.shape[1])), True))
        return dictionary


def limit(side: int) -> int:
    """Return the largest number of atoms a patch may take: half its pixels."""
    return side * side // 2


def patches_over(length: int, side: int) -> Tensor:
    """Return how many windows of `side` pixels hold each pixel of an axis (length,)."""
    places = torch.arange(length)
    fewest = torch.minimum(places + 1, length - places)
    return fewest.clamp(max=min(side, length - side + 1))


def bands(height: int, width: int, side: int) -> Iterator[slice]:
    """Yield the rows that the patches of one band cover: bands of patches, from top to bottom, of at most BAND."""
    rows, most = height - side + 1, max(1, BAND // (width - side + 1))
    for top in range(0, rows, most):
        yield slice(top, min(top + most, rows) + side - 1)


def patches_of(rows: Tensor, side: int) -> Tensor:
    """Return all patches (P,side²) of a channel or of a band of its rows (H,W), in row-major order."""
    return unfold(rows[None, None], side)[0].T.contiguous()


def centred(patches: Tensor) -> Tensor:
    """Return patches (P,n) less their means."""
    return patches - patches.mean(dim=1, keepdim=True)
