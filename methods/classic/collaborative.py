"""Collaborative filtering of groups of similar patches: hard threshold, then empirical Wiener (BM3D, C-BM3D).

Source: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain
Collaborative Filtering", IEEE Transactions on Image Processing 16(8), 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import DENOISING, Problem
from methods.base import Method, noise_level
from methods.classic._colour import change, opponent_matrix
from methods.classic._matching import fewest_candidates, match_patches, reach, reference_grid
from methods.classic._patches import (
    PATCH,
    GroupRestoration,
    Patches,
    PatchGroups,
    biorthogonal_matrix,
    chunks,
    dct_matrix,
    gather,
    haar_matrix,
    kaiser,
    noise_variances,
    overlap_correlations,
    scatter,
)
from methods.classic.kernels import WITHOUT, available, installed

Step = Annotated[int, Within(1, PATCH)]  # a larger one leaves pixels in no group
Window = Annotated[int, Within(1, 127)]
Group = Annotated[int, Within(1, 256)]


@dataclass(frozen=True)
class CollaborativeWiener(Method):
    """BM3D with its φ: f = T y, g = 0 and φ = μ²σ²v/(|T p|² + μ²σ²v), with T that groups patches, p a first estimate.

    Patches are 8×8 and matched in luma, with T from the DCT and the Haar transform (`PatchGroups`). σ²v is the variance
    of the noise in a coefficient: patches of a group that overlap share noise, so v is not 1. The first estimate p is
    made in the same way with the bior1.5 wavelet for the DCT, groups matched in y, and coefficients under λσ√v set to
    0; the second groups are matched in p. A group weighs 1/max(Σ v (1 − φ)², 1), in the first stage with 1 for a kept
    and 0 for a removed coefficient in place of 1 − φ. σ may differ between the images of a batch; where it is 0, φ is 0
    and x̂ = y. f and φ, thousands of numbers per group, are made when they are asked for.

    v (1 in the paper) and μ² are those of Y. Mäkinen, L. Azzari and A. Foi, "Collaborative Filtering of Correlated
    Noise: Exact Transform-Domain Variance for Improved Shrinkage and Patch Matching", IEEE TIP 29, 2020.

    Deviations from the paper: the transforms and the size of the patches are the same at every σ; nothing is
    filtered before matching; groups have a fixed size, with no threshold on the distance; λ is larger in chroma, and
    v = 1 there in the first stage, whose window is smaller (31 for 39 pixels).

    Args:
        threshold, threshold_chroma: λ in luma (or gray) and in the two other opponent colours.
        step, step_wiener: distance of reference patches in the two stages, pixels.
        window, window_wiener: side of the search window, pixels.
        group, group_wiener: patches in a group, powers of two; halved while a patch in a corner of the image has
            fewer candidates.
        beta: of the Kaiser window on a patch.
        mu2: μ², what the variance of the noise is multiplied by in φ.

    Raises:
        ValueError: a group is no power of two or has no room in a quarter of its window, or a side of the image is
            under 8.
    """

    name: ClassVar[str] = "collaborative-wiener"
    summary: ClassVar[str] = "BM3D: Wiener shrinkage of groups of similar patches, with its φ"
    citation: ClassVar[str] = (
        "K. Dabov et al., Image denoising by sparse 3-D transform-domain collaborative filtering, IEEE TIP 2007"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    threshold: Annotated[float, Within(0)] = 2.7
    threshold_chroma: Annotated[float, Within(0)] = 3.5
    step: Step = 3
    step_wiener: Step = 3
    window: Window = 31
    window_wiener: Window = 39
    group: Group = 16
    group_wiener: Group = 32
    beta: Annotated[float, Within(0, 20)] = 2.0
    mu2: Annotated[float, Within(0)] = 0.55

    def __post_init__(self) -> None:
        super().__post_init__()
        for window, group in ((self.window, self.group), (self.window_wiener, self.group_wiener)):
            if group & (group - 1):
                raise ValueError(f"groups must be powers of two, got {group}")
            if fewest_candidates((window, window), window) < group:
                raise ValueError(f"in a corner of the image a window of {window}×{window} has no {group} patches")

    def remarks(self) -> tuple[str, ...]:
        return () if installed() else (WITHOUT,)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        if min(y.shape[-2:]) < PATCH:
            raise ValueError(f"sides must be at least {PATCH}, got {tuple(y.shape[-2:])}")
        colour, levels = opponent_matrix(y.shape[1]).to(y), noise_level(observation).to(y)
        opponents = change(y, colour)
        dct = Patches.of(y, dct_matrix(PATCH), self.beta)
        # One by one: a large image has hundreds of megabytes of coefficients.
        parts = [self._filtered(image, float(sigma), dct) for image, sigma in zip(opponents, levels, strict=True)]
        image, estimate, positions, weights = (torch.stack(part) for part in zip(*parts, strict=True))
        domain, level = PatchGroups(dct, positions, weights), self.mu2 * levels.square()
        return GroupRestoration(
            change(image, colour.T),
            lambda: domain.analysis(y),
            y.new_zeros(len(y), 1, 1, 1, 1),
            lambda: _share_of_noise(
                level[:, None, None, None, None] * domain.noise_variances(), domain.of_opponents(estimate)
            ),
            domain,
            lambda: self._reliance(domain, level, estimate),
        )

    def _filtered(self, y: Tensor, sigma: float, dct: Patches) -> tuple[Tensor, ...]:
        """Return x̂ and p (C,H,W), and the positions (K,G) and weights (C,G) of the second groups, from y (C,H,W)."""
        wavelet = Patches.of(y, biorthogonal_matrix(PATCH), self.beta)
        thresholds = [(sigma * (self.threshold_chroma if c else self.threshold)) ** 2 for c in range(len(y))]
        positions = self._matched(y[0], self.step, self.window, self.group)
        kept = [
            self._shrink(wavelet, (y[c],), thresholds[c], positions, self.step, self.window, overlaps=c == 0)
            for c in range(len(y))
        ]
        p = torch.stack([channel for channel, _ in kept])
        positions = self._matched(p[0], self.step_wiener, self.window_wiener, self.group_wiener)
        shrunk = [
            self._shrink(dct, (y[c], p[c]), self.mu2 * sigma**2, positions, self.step_wiener, self.window_wiener)
            for c in range(len(y))
        ]
        image, weights = (torch.stack(part) for part in zip(*shrunk, strict=True))
        return image, p, positions, weights

    def _reliance(self, domain: PatchGroups, level: Tensor, estimate: Tensor) -> Tensor:
        """Return φ per pixel (N,1,H,W) from p in opponent colours (N,C,H,W) and μ²σ² (N,); φ itself is not kept."""
        if not available(estimate):
            return _reliance_on_tensors(domain, level, estimate)
        from methods.classic.kernels.collaborative import map_reliance

        patches = domain.patches
        references = reference_grid(patches.places[0], self.step_wiener).numpy()
        correlations = overlap_correlations(patches.transform).numpy()
        maps = [
            map_reliance(
                channel[None].detach().numpy(),
                float(own),
                positions.T.contiguous().numpy(),
                references,
                reach(self.window_wiener),
                patches.transform.numpy(),
                kaiser(self.beta).numpy(),
                correlations,
                weights.numpy(),
            )
            for image, own, positions, all_weights in zip(
                estimate, level, domain.positions, domain.weights, strict=True
            )
            for channel, weights in zip(image, all_weights, strict=True)
        ]
        return torch.from_numpy(np.stack(maps)).view(*estimate.shape).mean(dim=1, keepdim=True)

    def _matched(self, channel: Tensor, step: int, window: int, group: int) -> Tensor:
        rows, columns = channel.shape
        while group > fewest_candidates((rows - PATCH + 1, columns - PATCH + 1), window):
            group //= 2
        return match_patches(channel, step, window, group)

    def _shrink(
        self,
        patches: Patches,
        planes: tuple[Tensor, ...],
        level: float,
        positions: Tensor,
        step: int,
        window: int,
        overlaps: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Return a channel filtered (H,W) and the weights of its groups (G); see `filter_groups`.

        Args:
            overlaps: if not, v = 1.
        """
        if not available(*planes):
            return _shrink_on_tensors(patches, planes, level, positions, overlaps)
        from methods.classic.kernels.collaborative import filter_groups

        image, weights = filter_groups(
            torch.stack(planes).detach().numpy(),
            level,
            positions.T.contiguous().numpy(),
            reference_grid(patches.places[0], step).numpy(),
            reach(window),
            patches.transform.numpy(),
            kaiser(self.beta).numpy(),
            overlap_correlations(patches.transform).numpy() if overlaps else None,
        )
        return torch.from_numpy(image), torch.from_numpy(weights)


def _shrink_on_tensors(
    patches: Patches, planes: tuple[Tensor, ...], level: float, positions: Tensor, overlaps: bool
) -> tuple[Tensor, Tensor]:
    haar = haar_matrix(len(positions)).to(planes[0])
    tables, total = [patches.analysis(plane) for plane in planes], patches.zeros()
    weights = total.new_empty(positions.shape[1])
    for part in chunks(positions):
        groups = [gather(table, positions[:, part], haar) for table in tables]
        variances = noise_variances(patches, positions[:, part], haar) if overlaps else torch.ones_like(groups[0])
        if len(groups) == 1:
            keep = (groups[0].square() >= level * variances).to(total.dtype)
        else:
            keep = 1 - _share_of_noise(level * variances, groups[1])
        weights[part] = (keep.square() * variances).sum(dim=(0, 2)).clamp_(min=1).reciprocal_()
        scatter(total, positions[:, part], haar, groups[0] * keep, weights[part])
    return patches.mean(total, positions, weights), weights


def _reliance_on_tensors(domain: PatchGroups, level: Tensor, estimate: Tensor) -> Tensor:
    patches, haar, maps = domain.patches, domain.haar, []
    for image, own, positions, all_weights in zip(estimate, level, domain.positions, domain.weights, strict=True):
        for channel, weights in zip(image, all_weights, strict=True):
            table, total = patches.analysis(channel), patches.zeros()
            for part in chunks(positions):
                groups = gather(table, positions[:, part], haar)
                phi = _share_of_noise(own * noise_variances(patches, positions[:, part], haar), groups)
                scatter(total, positions[:, part], haar.square(), phi, weights[part])
            maps.append(patches.mean(total, positions, weights, squared=True))
    return torch.stack(maps).view_as(estimate).mean(dim=1, keepdim=True)


def _share_of_noise(variance: Tensor, estimate: Tensor) -> Tensor:
    """φ = v/(|p|² + v); where v and p are both 0, φ is 0."""
    return variance / (estimate.square() + variance + torch.finfo(estimate.dtype).tiny)
