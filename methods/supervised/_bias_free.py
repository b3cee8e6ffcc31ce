"""Convolutions without a bias: x̂ is homogeneous in y, so a network goes on where its training ended."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from methods.supervised._chain import Chain

DEPTH = 20
"""Convolutions; the first and the last are not normalised."""


def bias_free(kernels: Iterable[Tensor], gains: Iterable[Tensor], dtype: torch.dtype, device: torch.device) -> Chain:
    """Return h ↦ max(0, γ_k w_k ⋆ h), k = 1 … K−1, and w_K ⋆ h.

    Args:
        kernels: w_k (out,in,3,3), K of them.
        gains: γ_k (out,) of the convolutions that are normalised, all but the first and the last.
    """
    first, *inner, last = kernels
    folded = [w.double() * g.double().view(-1, 1, 1, 1) for w, g in zip(inner, gains, strict=True)]
    layers = [w.to(device, dtype, memory_format=torch.channels_last) for w in (first, *folded, last)]
    return Chain(tuple((w, w.new_zeros(len(w))) for w in layers))
