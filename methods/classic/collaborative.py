"""Collaborative filtering of groups of similar patches: hard threshold, then empirical Wiener (BM3D, C-BM3D).

Source: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain
Collaborative Filtering", IEEE Transactions on Image Processing 16(8), 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration, fuse
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._colour import change, opponent_matrix
from methods.classic._patches import (
    PATCH,
    Patches,
    PatchGroups,
    biorthogonal_matrix,
    chunks,
    dct_matrix,
    gather,
    haar_matrix,
    match_patches,
    scatter,
)

Step = Annotated[int, Within(1, PATCH)]  # a larger one leaves pixels in no group
Window = Annotated[int, Within(1, 127)]
Group = Annotated[int, Within(1, 256)]


@dataclass(frozen=True)
class CollaborativeWiener(Method):
    """BM3D on tensors: f = T y, g = 0 and φ = σ²/(|T p|² + σ²), where T groups patches and p is a first estimate.

    Patches are 8×8 and matched in luma, with T from the DCT and the Haar transform (`PatchGroups`). The first
    estimate p is made in the same way with the bior1.5 wavelet for the DCT, groups matched in y, and coefficients
    under λσ set to 0; the second groups are matched in p. A group weighs 1/max(‖1 − φ‖, 1), in the first stage with
    1 for a kept and 0 for a removed coefficient in place of 1 − φ. σ may differ between the images of a batch; where
    it is 0, φ is 0 and x̂ = y.

    Deviations from the paper: the transforms and the size of the patches are the same at every σ; nothing is
    filtered before matching; groups have a fixed size, with no threshold on the distance; weights take the square
    root; λ is larger in chroma; reference patches are spread evenly, 2 and 4 pixels apart (3 in the paper); the
    first window is smaller (25 for 39 pixels) and the second group too (16 for 32).

    Args:
        threshold, threshold_chroma: λ in luma (or gray) and in the two other opponent colours.
        step, step_wiener: distance of reference patches in the two stages, pixels.
        window, window_wiener: side of the search window, pixels.
        group, group_wiener: patches in a group, powers of two; halved while an image has fewer patches.
        beta: of the Kaiser window on a patch.

    Raises:
        ValueError: a group is no power of two or does not fit into its window, or a side of the image is under 8.
    """

    name: ClassVar[str] = "collaborative-wiener"
    summary: ClassVar[str] = "BM3D on tensors: Wiener shrinkage of groups of similar patches, with its φ"
    citation: ClassVar[str] = (
        "K. Dabov et al., Image denoising by sparse 3-D transform-domain collaborative filtering, IEEE TIP 2007"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    threshold: Annotated[float, Within(0)] = 2.6
    threshold_chroma: Annotated[float, Within(0)] = 3.5
    step: Step = 2
    step_wiener: Step = 4
    window: Window = 25
    window_wiener: Window = 39
    group: Group = 16
    group_wiener: Group = 16
    beta: Annotated[float, Within(0, 20)] = 1.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for window, group in ((self.window, self.group), (self.window_wiener, self.group_wiener)):
            if group & (group - 1):
                raise ValueError(f"groups must be powers of two, got {group}")
            if window**2 < group:
                raise ValueError(f"a window of {window}×{window} has no {group} patches")

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        if min(y.shape[-2:]) < PATCH:
            raise ValueError(f"sides must be at least {PATCH}, got {tuple(y.shape[-2:])}")
        wavelet = Patches.of(y, biorthogonal_matrix(PATCH), self.beta)
        dct = Patches.of(y, dct_matrix(PATCH), self.beta)
        colour = opponent_matrix(y.shape[1]).to(y)
        filtered = []
        # One by one: a large image has hundreds of megabytes of coefficients.
        for image, sigma in zip(change(y, colour), noise_level(observation).to(y), strict=True):
            estimate = self._hard_threshold(wavelet, image, sigma)
            filtered.append(self._wiener(dct, image, estimate, sigma))
        opponents, positions, weights, fidelity, phi = (_stack(parts) for parts in zip(*filtered, strict=True))
        return Restoration(
            change(opponents, colour.T),
            fidelity,
            y.new_zeros(len(y), 1, 1, 1, 1),
            phi,
            PatchGroups(dct, positions, weights),
        )

    def _hard_threshold(self, patches: Patches, y: Tensor, sigma: Tensor) -> Tensor:
        """Return p (C,H,W) from y (C,H,W), both in opponent colours."""
        k = _group_size(self.group, patches)
        haar = haar_matrix(k).to(y)
        positions = match_patches(patches.pixels(y[0]), patches.places, self.step, self.window, k)
        channels = []
        for c, channel in enumerate(y):
            threshold = sigma * (self.threshold_chroma if c else self.threshold)
            table, total, weights = patches.analysis(channel), patches.zeros(), y.new_empty(positions.shape[1])
            for part in chunks(positions):
                coefficients = gather(table, positions[:, part], haar)
                kept = (coefficients.abs() >= threshold).to(y.dtype)
                weights[part] = kept.sum(dim=(0, 2)).clamp_(min=1).rsqrt_()
                scatter(total, positions[:, part], haar, coefficients.mul_(kept), weights[part])
            channels.append(patches.mean(total, positions, weights))
        return torch.stack(channels)

    def _wiener(self, patches: Patches, y: Tensor, estimate: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
        """Return x̂ (C,H,W), positions (K,G), weights (C,G), f and φ (C,K,G,64) from y and p (C,H,W)."""
        k = _group_size(self.group_wiener, patches)
        haar = haar_matrix(k).to(y)
        positions = match_patches(patches.pixels(estimate[0]), patches.places, self.step_wiener, self.window_wiener, k)
        weights = y.new_empty(len(y), positions.shape[1])
        fidelity = y.new_empty(len(y), *positions.shape, PATCH**2)
        phi = torch.empty_like(fidelity)
        zero = y.new_zeros(())
        # At σ = 0 a coefficient of p may be 0 as well: φ is 0 even then.
        variance, floor = sigma.square(), torch.finfo(y.dtype).tiny
        channels = []
        for c in range(len(y)):
            noisy, clean, total = patches.analysis(y[c]), patches.analysis(estimate[c]), patches.zeros()
            for part in chunks(positions):
                f = gather(noisy, positions[:, part], haar)
                p = gather(clean, positions[:, part], haar)
                reliance = variance / p.square_().add_(variance + floor)
                weights[c, part] = (1 - reliance).square_().sum(dim=(0, 2)).clamp_(min=1).rsqrt_()
                scatter(total, positions[:, part], haar, fuse(f, zero, reliance), weights[c, part])
                fidelity[c, :, part], phi[c, :, part] = f, reliance
            channels.append(patches.mean(total, positions, weights[c]))
        return torch.stack(channels), positions, weights, fidelity, phi


def _stack(parts: tuple[Tensor, ...]) -> Tensor:
    # The coefficients of one large image are hundreds of megabytes: no second copy of them.
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def _group_size(group: int, patches: Patches) -> int:
    while group > math.prod(patches.places):
        group //= 2
    return group
