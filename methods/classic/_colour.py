"""The colour space in which colour images are denoised channel by channel."""

from __future__ import annotations

import torch
from torch import Tensor


def opponent(like: Tensor) -> Tensor:
    """Return the orthonormal opponent transform (C,C): luma, R − B and R − 2G + B, each of norm 1; (1) for gray.

    Orthonormal, so white noise stays white and of the same σ in every channel; luma gathers the energy of natural
    images. `change(x, opponent(x))` goes there and `change(z, opponent(z).T)` comes back.

    Args:
        like: (N,C,H,W), C 1 or 3: the number of channels, the device and the dtype are taken from it.
    """
    rows = [[1.0]] if like.shape[1] == 1 else [[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]
    matrix = torch.tensor(rows, dtype=torch.float64)
    return (matrix / matrix.norm(dim=1, keepdim=True)).to(like)


def change(image: Tensor, matrix: Tensor) -> Tensor:
    """Return the image (N,C,H,W) with `matrix` (C,C) applied to the channels of every pixel."""
    return torch.einsum("oc,nchw->nohw", matrix, image)
