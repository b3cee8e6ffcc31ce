"""Collaborative filtering of groups of similar patches, hard threshold then empirical Wiener (BM3D, CBM3D).

Source: K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Image Denoising by Sparse 3-D Transform-Domain
Collaborative Filtering", IEEE Transactions on Image Processing 16(8), 2007.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bigprior.domains import Domain
from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.base import Method, noise_level

PATCH = 8


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
        coarse = torch.kron(matrix, torch.tensor([[1.0, 1.0]], dtype=torch.float64))
        fine = torch.kron(torch.eye(len(matrix), dtype=torch.float64), torch.tensor([[1.0, -1.0]], dtype=torch.float64))
        matrix = torch.cat([coarse, fine]) / math.sqrt(2)
    return matrix


def colour_matrix(channels: int) -> Tensor:
    """Return the orthonormal opponent transform (C,C) in float64: luma first, then R−B and R−2G+B; 1 for gray."""
    if channels == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    matrix = torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
    return matrix / matrix.norm(dim=1, keepdim=True)


def _chunks(count: int, group: int, device: torch.device) -> Iterator[slice]:
    # On a CPU a chunk of coefficients should stay in the second-level cache; a GPU wants few launches.
    step = max(1, (2**17 if device.type == "cpu" else 2**25) // (group * PATCH**2))
    return (slice(i, i + step) for i in range(0, count, step))


class PatchGroups(Domain):
    """The 3-D transform coefficients of groups of similar patches: a tight description, larger than the image.

    Coordinates are (N,C,K,G,64): opponent colour channel, Haar index along the group, group, 2-D DCT index. With Tᵢ
    the orthonormal transform of group i (colour, then DCT, then Haar over its K patches), wᵢ its weight and κ a
    Kaiser window on the patch, the synthesis is the weighted mean at every pixel of all the patches that cover it,

        x̂ = Σᵢ Rᵢᵀ wᵢ κ Tᵢᵀ cᵢ / Σᵢ Rᵢᵀ wᵢ κ 1,

    where Rᵢ cuts the patches of group i out of the image. It is linear in c (positions and weights are fixed), and a
    left inverse of the analysis: synthesis(T R y) = y.

    Attributes:
        height, width: H and W of the image.
        positions: (N,K,G) integers, top left corners row·(W−7)+column of the patches.
        weights: (N,C,G) wᵢ > 0.
        window: (8,8) κ.
    """

    name: ClassVar[str] = "patch groups"

    def __init__(self, height: int, width: int, positions: Tensor, weights: Tensor, window: Tensor) -> None:
        self.height, self.width = height, width
        self.positions, self.weights, self.window = positions, weights, window
        self.dct = torch.kron(dct_matrix(PATCH), dct_matrix(PATCH)).to(weights)
        self.haar = haar_matrix(positions.shape[1]).to(weights)
        self.colour = colour_matrix(weights.shape[1]).to(weights)

    def patches(self, image: Tensor) -> Tensor:
        """Return the DCT of the patch at every position, (C,P,64), of one image (C,H,W) in opponent colours."""
        columns = F.unfold(image.unsqueeze(1), PATCH)
        return columns.transpose(1, 2) @ self.dct.T

    def chunks(self) -> Iterator[slice]:
        """Yield ranges of groups that are worth working on at once."""
        return _chunks(self.positions.shape[2], self.positions.shape[1], self.positions.device)

    def forward(self, table: Tensor, positions: Tensor) -> Tensor:
        """Return the coefficients (K,g,64) of the groups at `positions` (K,g), given their DCT `table` (P,64)."""
        k, g = positions.shape
        stacked = table.index_select(0, positions.reshape(-1))
        return (self.haar @ stacked.view(k, -1)).view(k, g, -1)

    def backward(self, table: Tensor, positions: Tensor, coefficients: Tensor, weights: Tensor) -> None:
        """Add the weighted patches of some groups, still in the DCT domain, to `table` (P,64)."""
        k, g, size = coefficients.shape
        stacked = (self.haar.T @ (coefficients * weights[:, None]).reshape(k, -1)).view(k * g, size)
        table.index_add_(0, positions.reshape(-1), stacked)

    def aggregate(self, index: int, tables: Tensor) -> Tensor:
        """Return the image (C,H,W), in opponent colours, of tables (C,P,64) of weighted sums of patch DCTs."""
        size = (self.height, self.width)
        total = F.fold((self.window.reshape(-1, 1) * self.dct.T) @ tables.transpose(1, 2), size, PATCH)
        return (total / self._mass(index)).squeeze(1)

    def _mass(self, index: int) -> Tensor:
        positions = self.positions[index].reshape(-1)
        count = (self.height - PATCH + 1) * (self.width - PATCH + 1)
        weights = self.weights[index]
        mass = weights.new_zeros(weights.shape[0], count)
        mass.index_add_(1, positions, weights.repeat(1, self.positions.shape[1]))
        mass = mass.view(-1, 1, self.height - PATCH + 1, self.width - PATCH + 1)
        return F.conv_transpose2d(mass, self.window[None, None])

    def analysis(self, image: Tensor) -> Tensor:
        """Return the coordinates (N,C,K,G,64) of an image (N,C,H,W)."""
        n, k, g = self.positions.shape
        coordinates = image.new_empty(n, image.shape[1], k, g, PATCH**2)
        for i in range(n):
            for c, table in enumerate(self.patches(torch.einsum("oc,chw->ohw", self.colour, image[i]))):
                for s in self.chunks():
                    coordinates[i, c, :, s] = self.forward(table, self.positions[i, :, s])
        return coordinates

    def synthesis(self, coefficients: Tensor) -> Tensor:
        images = []
        for i in range(len(coefficients)):
            tables = self._empty_tables(i)
            for c, table in enumerate(tables):
                for s in self.chunks():
                    self.backward(table, self.positions[i, :, s], coefficients[i, c, :, s], self.weights[i, c, s])
            images.append(torch.einsum("oc,ohw->chw", self.colour, self.aggregate(i, tables)))
        return torch.stack(images)

    def _empty_tables(self, index: int) -> Tensor:
        count = (self.height - PATCH + 1) * (self.width - PATCH + 1)
        return self.weights.new_zeros(self.weights.shape[1], count, PATCH**2)
