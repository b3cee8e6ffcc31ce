"""Collaborative filtering of groups of similar patches: hard threshold, then empirical Wiener (BM3D, C-BM3D).

Source: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain
Collaborative Filtering", IEEE Transactions on Image Processing 16(8), 2007.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pywt
import torch
from torch import Tensor
from torch.nn.functional import fold

from bigprior.domains import Domain
from bigprior.fusion import Restoration, fuse
from datasets.observation import Observation
from methods.base import Method, noise_level
from methods.classic._colour import change, opponent_matrix

PATCH = 8
"""Side of the patches."""
TILE = 8
"""Reference patches a side that are matched at once, by one matrix product."""
CPU_CHUNK, GPU_CHUNK = 2**17, 2**25
"""Numbers worked on at once: on a CPU they stay in the second-level cache, a GPU wants few launches."""


def dct_matrix(n: int) -> Tensor:
    """Return the orthonormal DCT-II (n,n) in float64, one basis vector per row."""
    k = torch.arange(n, dtype=torch.float64)
    matrix = torch.cos(math.pi / n * torch.outer(k, k + 0.5)) * math.sqrt(2 / n)
    matrix[0] /= math.sqrt(2)
    return matrix


def haar_matrix(n: int) -> Tensor:
    """Return the orthonormal Haar transform (n,n) in float64, n a power of two, one basis vector per row."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while len(matrix) < n:
        mean, difference = torch.tensor([[[1.0, 1.0]], [[1.0, -1.0]]], dtype=torch.float64) / math.sqrt(2)
        detail = torch.eye(len(matrix), dtype=torch.float64)
        matrix = torch.cat([torch.kron(matrix, mean), torch.kron(detail, difference)])
    return matrix


def biorthogonal_matrix(n: int) -> Tensor:
    """Return the periodic bior1.5 wavelet transform (n,n) in float64, n a power of two, rows of unit norm.

    Unit rows keep the standard deviation of white noise; the rows are not orthogonal.
    """
    levels = n.bit_length() - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # every level sees the border, which is meant
        columns = [np.concatenate(pywt.wavedec(e, "bior1.5", "periodization", level=levels)) for e in np.eye(n)]
    matrix = torch.from_numpy(np.stack(columns, axis=1))
    return matrix / matrix.norm(dim=1, keepdim=True)


@dataclass(frozen=True)
class _Patches:
    """The P = (H−7)(W−7) overlapping patches of one channel (H,W), as rows of 64 transform coefficients.

    Attributes:
        size: (H,W).
        forward, backward: (64,64), the transform of a patch and its inverse.
        window: (64,), the weight of a pixel in its patch where patches overlap.
    """

    size: tuple[int, int]
    forward: Tensor
    backward: Tensor
    window: Tensor

    @classmethod
    def of(cls, y: Tensor, transform: Tensor, beta: float) -> _Patches:
        """Describe the patches of images like y (N,C,H,W): a separable transform (8,8) and a Kaiser window."""
        window = torch.kaiser_window(PATCH, periodic=False, beta=beta, dtype=torch.float64)
        forward, backward = (torch.kron(t, t).to(y) for t in (transform, torch.linalg.inv(transform)))
        return cls((y.shape[-2], y.shape[-1]), forward, backward, torch.outer(window, window).flatten().to(y))

    @property
    def places(self) -> tuple[int, int]:
        """Rows and columns of top left corners; the patch in row i and column j has number i·columns + j."""
        return self.size[0] - PATCH + 1, self.size[1] - PATCH + 1

    def pixels(self, channel: Tensor) -> Tensor:
        """Return every patch, (P,64), of a channel (H,W)."""
        return channel.unfold(0, PATCH, 1).unfold(1, PATCH, 1).reshape(-1, PATCH**2)

    def analysis(self, channel: Tensor) -> Tensor:
        """Return the transform of every patch, (P,64), of a channel (H,W)."""
        return self.pixels(channel) @ self.forward.T

    def zeros(self) -> Tensor:
        """Return a table (P,64) to add weighted patches to."""
        return self.window.new_zeros(math.prod(self.places), PATCH**2)

    def mean(self, table: Tensor, positions: Tensor, weights: Tensor, squared: bool = False) -> Tensor:
        """Return the channel (H,W) that is at every pixel the weighted mean of the patches over it.

        Args:
            table: (P,64) sums of weighted patches, as transform coefficients.
            positions: (K,G) numbers of the patches.
            weights: (G,) weights of the groups.
            squared: take the squares of the basis images instead.
        """
        mass = weights.new_zeros(len(table)).index_add_(0, positions.reshape(-1), weights.repeat(len(positions)))
        basis = self.backward.square() if squared else self.backward
        window = self.window[:, None]
        return (fold((basis * window) @ table.T, self.size, PATCH) / fold(window * mass, self.size, PATCH))[0]


def _chunks(positions: Tensor) -> Iterator[slice]:
    numbers = CPU_CHUNK if positions.device.type == "cpu" else GPU_CHUNK
    step = max(1, numbers // (positions.shape[-2] * PATCH**2))
    return (slice(start, start + step) for start in range(0, positions.shape[-1], step))


def _gather(table: Tensor, positions: Tensor, haar: Tensor) -> Tensor:
    """Return the 3-D coefficients (K,g,64) of the groups at `positions` (K,g)."""
    k, g = positions.shape
    return (haar @ table.index_select(0, positions.reshape(-1)).view(k, -1)).view(k, g, -1)


def _scatter(table: Tensor, positions: Tensor, haar: Tensor, coefficients: Tensor, weights: Tensor) -> None:
    """Add the patches of the groups at `positions` (K,g), times the weight of the group (g,), to the table."""
    k, g = positions.shape
    patches = haar.T @ (coefficients * weights[:, None]).view(k, -1)
    table.index_add_(0, positions.reshape(-1), patches.view(k * g, -1))


@dataclass(frozen=True, eq=False)
class PatchGroups(Domain):
    """The 3-D transform coefficients of groups of similar patches: many more numbers than pixels.

    Coordinates are (N,C,K,G,64): opponent colour, Haar coefficient along the group, group, DCT coefficient. With R_i
    cutting the K patches of group i out of the image, T orthonormal (colour, DCT, Haar), w_i the weight of the group
    and κ a window on the patch, the synthesis is the weighted mean, at every pixel, of all patches over it:

        x̂ = Σ_i R_iᵀ w_i κ Tᵀ c_i / Σ_i R_iᵀ w_i κ 1        (the division is per pixel)

    Positions and weights are fixed, so it is linear; it undoes the analysis, synthesis(analysis(x)) = x, since every
    pixel is in some group.

    Attributes:
        patches: size, DCT and κ.
        positions: (N,K,G), numbers of the patches.
        weights: (N,C,G), w_i > 0.
    """

    name: ClassVar[str] = "patch groups"

    patches: _Patches
    positions: Tensor
    weights: Tensor
    haar: Tensor = field(init=False)
    colour: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "haar", haar_matrix(self.positions.shape[1]).to(self.weights))
        object.__setattr__(self, "colour", opponent_matrix(self.weights.shape[1]).to(self.weights))

    def analysis(self, image: Tensor) -> Tensor:
        """Return the coordinates (N,C,K,G,64) of an image (N,C,H,W)."""
        opponents = change(image, self.colour)
        coefficients = image.new_empty(*image.shape[:2], *self.positions.shape[1:], PATCH**2)
        for opponent, positions, out in zip(opponents, self.positions, coefficients, strict=True):
            for c, channel in enumerate(opponent):
                table = self.patches.analysis(channel)
                for part in _chunks(positions):
                    out[c, :, part] = _gather(table, positions[:, part], self.haar)
        return coefficients

    def synthesis(self, coefficients: Tensor) -> Tensor:
        return change(self._means(coefficients, squared=False), self.colour.T)

    def pixel_map(self, phi: Tensor) -> Tensor:
        """Return φ per pixel (N,1,H,W): the weighted mean over all patches of the reliance of a pixel in its patch.

        The reliance of pixel u of patch k is Σ_ab Haar_ak² DCT_bu² φ_ab, the diagonal of Tᵀ diag(φ) T: what
        that patch estimate of the pixel does not take from the pixel's own value. Exact for fixed φ but for patches
        of one group that overlap, where a value also reaches the pixel by way of another patch.
        """
        return self._means(phi, squared=True).mean(dim=1, keepdim=True)

    def mean(self, phi: Tensor) -> Tensor:
        """Return the mean over the pixels of `pixel_map`, (N,)."""
        return self.pixel_map(phi).mean(dim=(1, 2, 3))

    def _means(self, coefficients: Tensor, squared: bool) -> Tensor:
        haar = self.haar.square() if squared else self.haar
        channels = []
        for all_coefficients, positions, all_weights in zip(coefficients, self.positions, self.weights, strict=True):
            for c, weights in zip(all_coefficients, all_weights, strict=True):
                table = self.patches.zeros()
                for part in _chunks(positions):
                    _scatter(table, positions[:, part], haar, c[:, part], weights[part])
                channels.append(self.patches.mean(table, positions, weights, squared))
        return torch.stack(channels).unflatten(0, self.weights.shape[:2])


def _reference_grid(extent: int, step: int) -> Tensor:
    """Spread reference patches evenly over 0..extent−1, both ends included, no further apart than `step`.

    Returns:
        (tiles, references per tile), at most TILE in each.
    """
    least = math.ceil((extent - 1) / step) + 1
    tiles = math.ceil(least / TILE)
    # Equal tiles; they need a few more references than the least, of which a tiny image may have no room.
    side = min(math.ceil(least / tiles), extent // tiles)
    return torch.linspace(0, extent - 1, tiles * side, dtype=torch.float64).round().long().view(tiles, side)


def _search_window(references: Tensor, extent: int, window: int) -> Tensor:
    """Return the candidates (tiles, S) along one axis: at least `window` around each reference, clamped to the axis."""
    span = int((references[:, -1] - references[:, 0]).max()) + window
    start = (references[:, 0] - window // 2).clamp(0, max(extent - span, 0))
    return start[:, None] + torch.arange(min(span, extent), device=references.device)


def match_patches(table: Tensor, places: tuple[int, int], step: int, window: int, k: int) -> Tensor:
    """Return the k nearest patches of each reference patch in Euclidean distance, nearest first.

    Args:
        table: (P,D) patches in an orthonormal basis, row by row.
        places: rows and columns of patches.
        step: distance of the reference patches.
        window: side of the square in which a reference is compared with all patches. References are matched in
            tiles that share their candidates, so each sees at least this square (where the image is as large).
        k: how many; the reference is the first.

    Returns:
        (k,G) numbers of patches.
    """
    rows, columns = (_reference_grid(extent, step).to(table.device) for extent in places)
    candidate_rows, candidate_columns = (
        _search_window(axis, extent, window) for axis, extent in zip((rows, columns), places, strict=True)
    )

    def pairs(i: Tensor, j: Tensor, stride: int) -> Tensor:
        return (i[:, None, :, None] * stride + j[None, :, None, :]).flatten(2).flatten(0, 1)

    references = pairs(rows, columns, places[1])
    candidates = pairs(candidate_rows, candidate_columns, places[1])
    own = pairs(
        rows - candidate_rows[:, :1], columns - candidate_columns[:, :1], candidate_columns.shape[1]
    )  # where in its list of candidates a reference is itself

    table = table - table.mean(dim=0)  # distances stay, and lose less to rounding
    half = torch.linalg.vecdot(table, table) / 2
    numbers = CPU_CHUNK if table.device.type == "cpu" else GPU_CHUNK
    tiles = max(1, numbers // candidates.shape[1] // PATCH**2)
    found = []
    for begin in range(0, len(references), tiles):
        part = slice(begin, begin + tiles)
        patches = table[candidates[part]]
        # ‖p − q‖²/2 up to ‖p‖²/2, which does not change the order.
        distance = torch.baddbmm(half[candidates[part]].unsqueeze(1), table[references[part]], patches.mT, alpha=-1)
        distance.scatter_(2, own[part].unsqueeze(2), -math.inf)
        nearest = distance.topk(k, dim=2, largest=False).indices
        found.append(candidates[part].unsqueeze(1).expand(-1, nearest.shape[1], -1).gather(2, nearest).flatten(0, 1))
    return torch.cat(found).T.contiguous()


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
    first window is smaller (25 for 39 pixels) and the second group too (16 for 32). The values were chosen on eight
    crops of CBSD432, none of which is in a test set.

    Args:
        threshold, threshold_chroma: λ in luma (or gray) and in the two other opponent colours.
        step, step_wiener: distance of reference patches in the two stages, pixels.
        window, window_wiener: side of the search window, pixels.
        group, group_wiener: patches in a group, powers of two; halved while an image has fewer patches.
        beta: of the Kaiser window on a patch.

    Raises:
        ValueError: a parameter is out of range, or a side of the image is under 8.
    """

    name: ClassVar[str] = "collaborative-wiener"
    summary: ClassVar[str] = "BM3D on tensors: Wiener shrinkage of groups of similar patches, with its φ"
    citation: ClassVar[str] = (
        "K. Dabov et al., Image denoising by sparse 3-D transform-domain collaborative filtering, IEEE TIP 2007"
    )
    tasks: ClassVar[tuple[str, ...]] = ("denoise",)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    threshold: float = 2.6
    threshold_chroma: float = 3.5
    step: int = 2
    step_wiener: int = 4
    window: int = 25
    window_wiener: int = 39
    group: int = 16
    group_wiener: int = 16
    beta: float = 1.5

    def __post_init__(self) -> None:
        # A step over the patch leaves pixels in no group; a window must hold a group.
        for step, window, group in (
            (self.step, self.window, self.group),
            (self.step_wiener, self.window_wiener, self.group_wiener),
        ):
            if not 1 <= step <= PATCH:
                raise ValueError(f"steps must be in 1..{PATCH}, got {step}")
            if group < 1 or group & (group - 1):
                raise ValueError(f"groups must be powers of two, got {group}")
            if window**2 < group:
                raise ValueError(f"a window of {window}×{window} has no {group} patches")

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        if min(y.shape[-2:]) < PATCH:
            raise ValueError(f"sides must be at least {PATCH}, got {tuple(y.shape[-2:])}")
        wavelet = _Patches.of(y, biorthogonal_matrix(PATCH), self.beta)
        dct = _Patches.of(y, dct_matrix(PATCH), self.beta)
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

    def _hard_threshold(self, patches: _Patches, y: Tensor, sigma: Tensor) -> Tensor:
        """Return p (C,H,W) from y (C,H,W), both in opponent colours."""
        k = _group_size(self.group, patches)
        haar = haar_matrix(k).to(y)
        positions = match_patches(patches.pixels(y[0]), patches.places, self.step, self.window, k)
        channels = []
        for c, channel in enumerate(y):
            threshold = sigma * (self.threshold_chroma if c else self.threshold)
            table, total, weights = patches.analysis(channel), patches.zeros(), y.new_empty(positions.shape[1])
            for part in _chunks(positions):
                coefficients = _gather(table, positions[:, part], haar)
                kept = (coefficients.abs() >= threshold).to(y.dtype)
                weights[part] = kept.sum(dim=(0, 2)).clamp_(min=1).rsqrt_()
                _scatter(total, positions[:, part], haar, coefficients.mul_(kept), weights[part])
            channels.append(patches.mean(total, positions, weights))
        return torch.stack(channels)

    def _wiener(self, patches: _Patches, y: Tensor, estimate: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
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
            for part in _chunks(positions):
                f = _gather(noisy, positions[:, part], haar)
                p = _gather(clean, positions[:, part], haar)
                reliance = variance / p.square_().add_(variance + floor)
                weights[c, part] = (1 - reliance).square_().sum(dim=(0, 2)).clamp_(min=1).rsqrt_()
                _scatter(total, positions[:, part], haar, fuse(f, zero, reliance), weights[c, part])
                fidelity[c, :, part], phi[c, :, part] = f, reliance
            channels.append(patches.mean(total, positions, weights[c]))
        return torch.stack(channels), positions, weights, fidelity, phi


def _stack(parts: tuple[Tensor, ...]) -> Tensor:
    # The coefficients of one large image are hundreds of megabytes: no second copy of them.
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def _group_size(group: int, patches: _Patches) -> int:
    while group > math.prod(patches.places):
        group //= 2
    return group
