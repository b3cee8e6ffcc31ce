"""The colour space in which colour images are denoised channel by channel."""

from __future__ import annotations

import torch
from torch import Tensor


def opponent_matrix(channels: int) -> Tensor:
    """Return the orthonormal opponent transform (C,C), float64: luma, R − B and R − 2G + B of norm 1; (1) for gray.

    Orthonormal, so white noise stays white and of the same σ in every channel; luma gathers the energy of natural
    images. With M this matrix, `change(x, M)` goes there and `change(z, M.T)` comes back.
    """
    rows = [[1.0]] if channels == 1 else [[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]
    matrix = torch.tensor(rows, dtype=torch.float64)
    return matrix / matrix.norm(dim=1, keepdim=True)


def change(image: Tensor, matrix: Tensor) -> Tensor:
    """Return the image (N,C,H,W) with `matrix` (C,C) applied to the channels of every pixel."""
    return torch.einsum("oc,nchw->nohw", matrix, image)
