"""Groups of similar patches: their transforms, and what they give back to the image."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import pywt
import torch
from torch import Tensor
from torch.nn.functional import fold, pad

from bigprior.domains import Domain
from bigprior.fusion import DeferredRestoration
from methods.classic._colour import change, opponent_matrix
from methods.classic.kernels import available

PATCH = 8
"""Side of the patches."""
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


def overlap_correlations(transform: Tensor) -> Tensor:
    """Return E[⟨t, n⟩⟨t′, n⟩] for white noise n, (8,8,64): t a basis image, t′ the same one some pixels away.

    Args:
        transform: (8,8) along a side of a patch, rows of unit norm.

    Returns:
        The correlation for basis image 8a + b of the patch, at 0 to 7 rows (first) and columns (second) of distance.
    """
    shifted = torch.stack([pad(transform, (d, 0))[:, :PATCH] for d in range(PATCH)])
    along = (shifted * transform).sum(dim=2)
    return torch.einsum("ya,xb->yxab", along, along).flatten(2)


def kaiser(beta: float) -> Tensor:
    """Return the Kaiser window (8) on a side of a patch, float64."""
    return torch.kaiser_window(PATCH, periodic=False, beta=beta, dtype=torch.float64)


@dataclass(frozen=True)
class Patches:
    """The P = (H−7)(W−7) overlapping patches of one channel (H,W), as rows of 64 transform coefficients.

    Attributes:
        size: (H,W).
        transform: (8,8) along a side of a patch, one basis vector per row, float64.
        forward, backward: (64,64), the transform of a patch and its inverse.
        window: (64,), the weight of a pixel in its patch where patches overlap.
    """

    size: tuple[int, int]
    transform: Tensor
    forward: Tensor
    backward: Tensor
    window: Tensor

    @classmethod
    def of(cls, y: Tensor, transform: Tensor, beta: float) -> Patches:
        """Describe the patches of images like y (N,C,H,W): a separable transform (8,8) and a Kaiser window."""
        window = kaiser(beta)
        forward, backward = (torch.kron(t, t).to(y) for t in (transform, torch.linalg.inv(transform)))
        return cls(
            (y.shape[-2], y.shape[-1]), transform, forward, backward, torch.outer(window, window).flatten().to(y)
        )

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


def chunks(positions: Tensor, per_patch: int = PATCH**2) -> Iterator[slice]:
    """Return the groups (..., K, G) in slices that are worked on at once; so many numbers are made per patch."""
    numbers = CPU_CHUNK if positions.device.type == "cpu" else GPU_CHUNK
    step = max(1, numbers // (positions.shape[-2] * per_patch))
    return (slice(start, start + step) for start in range(0, positions.shape[-1], step))


def gather(table: Tensor, positions: Tensor, haar: Tensor) -> Tensor:
    """Return the 3-D coefficients (K,g,64) of the groups at `positions` (K,g)."""
    k, g = positions.shape
    return (haar @ table.index_select(0, positions.reshape(-1)).view(k, -1)).view(k, g, -1)


def noise_variances(patches: Patches, positions: Tensor, haar: Tensor) -> Tensor:
    """Return the variance (K,G,64) that white noise of variance 1 has in the 3-D coefficients of groups (K,G).

    It is not 1 where patches of a group overlap, because their noise is then the same in part.
    """
    k, (_, places) = len(positions), patches.places
    correlations = overlap_correlations(patches.transform).to(haar)
    if available(haar):
        from methods.classic.kernels.collaborative import group_variances

        found = positions.T.contiguous().numpy()
        return torch.from_numpy(group_variances(found, places, correlations.contiguous().numpy()))
    correlations = correlations.flatten(0, 1)
    correlations = torch.cat([correlations, torch.zeros_like(correlations[:1])])
    both = (haar[:, :, None] * haar[:, None, :]).flatten(1)
    variances = haar.new_empty(*positions.shape, PATCH**2)
    rows, columns = positions // places, positions % places
    for part in chunks(positions, k * PATCH**2):
        dy, dx = ((of[:, None, part] - of[None, :, part]).abs() for of in (rows, columns))
        at = torch.where((dy < PATCH) & (dx < PATCH), PATCH * dy + dx, PATCH**2)
        pairs = correlations[at.flatten().long()].view(k * k, -1)
        variances[:, part] = (both @ pairs).view(k, -1, PATCH**2)
    return variances.clamp_(min=0)


def scatter(table: Tensor, positions: Tensor, haar: Tensor, coefficients: Tensor, weights: Tensor) -> None:
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
        positions: (N,K,G) int32 or int64, numbers of the patches.
        weights: (N,C,G), w_i > 0.
    """

    name: ClassVar[str] = "patch groups"

    patches: Patches
    positions: Tensor
    weights: Tensor
    haar: Tensor = field(init=False)
    colour: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "haar", haar_matrix(self.positions.shape[1]).to(self.weights))
        object.__setattr__(self, "colour", opponent_matrix(self.weights.shape[1]).to(self.weights))

    def analysis(self, image: Tensor) -> Tensor:
        """Return the coordinates (N,C,K,G,64) of an image (N,C,H,W)."""
        return self.of_opponents(change(image, self.colour))

    def of_opponents(self, opponents: Tensor) -> Tensor:
        """Return the coordinates (N,C,K,G,64) of an image in opponent colours (N,C,H,W)."""
        coefficients = opponents.new_empty(*opponents.shape[:2], *self.positions.shape[1:], PATCH**2)
        for opponent, positions, out in zip(opponents, self.positions, coefficients, strict=True):
            for c, channel in enumerate(opponent):
                table = self.patches.analysis(channel)
                for part in chunks(positions):
                    out[c, :, part] = gather(table, positions[:, part], self.haar)
        return coefficients

    def noise_variances(self) -> Tensor:
        """Return the variance of every coordinate, (N,1,K,G,64), where pixels have white noise of variance 1."""
        each = [noise_variances(self.patches, positions, self.haar) for positions in self.positions]
        return torch.stack(each)[:, None]

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
                for part in chunks(positions):
                    scatter(table, positions[:, part], haar, c[:, part], weights[part])
                channels.append(self.patches.mean(table, positions, weights, squared))
        return torch.stack(channels).unflatten(0, self.weights.shape[:2])


class GroupRestoration(DeferredRestoration):
    """A restoration in the domain of `PatchGroups` that knows φ per pixel without all of φ, gigabytes of numbers.

    Args:
        image, fidelity, prior, phi, domain: as of `DeferredRestoration`.
        reliance: function without arguments that returns `domain.pixel_map(phi)`.
    """

    def __init__(
        self,
        image: Tensor,
        fidelity: Callable[[], Tensor],
        prior: Tensor,
        phi: Callable[[], Tensor],
        domain: PatchGroups,
        reliance: Callable[[], Tensor],
    ) -> None:
        super().__init__(image, fidelity, prior, phi, domain)
        self.__dict__["_reliance"] = reliance

    @cached_property
    def _map(self) -> Tensor:
        made: Tensor = self.__dict__["_reliance"]()
        return made

    def phi_map(self) -> Tensor:
        """Return φ per pixel (N,1,H,W)."""
        return self._map

    def phi_mean(self) -> Tensor:
        """Return the mean reliance on the prior per image (N,)."""
        return self._map.mean(dim=(1, 2, 3))
