"""Several priors at once: x̂ = (1 − Σ_k φ_k) f + Σ_k φ_k g_k, the shares φ_k on a simplex."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.fusion import Restoration


def fuse_many(fidelity: Tensor, priors: Tensor, phi: Tensor) -> Tensor:
    """Return (1 − Σ_k φ_k) ⊙ f + Σ_k φ_k ⊙ g_k; for one prior it is `bigprior.fusion.fuse`, to the last bit.

    Args:
        fidelity: f (N,C,H,W).
        priors: g (K,N,C,H,W).
        phi: φ (K,N,1,H,W), each ≥ 0, their sum over K at most 1.
    """
    image = (1 - phi.sum(dim=0)) * fidelity
    for share, prior in zip(phi, priors, strict=True):
        image = image + share * prior
    return image


def as_one(fidelity: Tensor, priors: Tensor, phi: Tensor) -> Restoration:
    """Return the same fusion with one prior: φ = Σ_k φ_k and g = Σ_k φ_k g_k / Σ_k φ_k, so that x̂ = (1 − φ) f + φ g.

    Where no prior has a share, g is their mean.

    Args:
        fidelity, priors, phi: as of `fuse_many`.
    """
    total = phi.sum(dim=0)
    used = total > 0
    share = torch.where(used, phi / torch.where(used, total, 1), 1 / len(phi))
    prior = (share * priors).sum(dim=0)
    return Restoration.fused(fidelity, prior, total.clamp_max(1))


def on_the_simplex(scores: Tensor) -> Tensor:
    """Return the point nearest to scores z (K,…) of {φ ≥ 0, Σ_k φ_k ≤ 1}; for K = 1 it is z clamped to [0,1].

    max(z, 0) if its sum is at most 1. Otherwise the nearest point of the simplex with sum 1: max(z − τ, 0), τ from the
    sorted scores.

    Source: A. F. T. Martins and R. F. Astudillo, "From Softmax to Sparsemax", ICML 2016, for τ. Deviation: the sum may
    be under 1, what is left is the share of f.
    """
    inside = scores.clamp_min(0)
    ordered = scores.sort(dim=0, descending=True).values
    count = torch.arange(1, len(scores) + 1, dtype=scores.dtype, device=scores.device)
    count = count.view(-1, *[1] * (scores.ndim - 1))
    excess = ordered.cumsum(dim=0) - 1
    support = (count * ordered > excess).sum(dim=0, keepdim=True).clamp_min(1)
    threshold = excess.gather(0, support - 1) / support
    return torch.where(inside.sum(dim=0, keepdim=True) <= 1, inside, (scores - threshold).clamp_min(0))
