"""A restoration that was drawn several times from a posterior: its draws, and how far they spread."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from bigprior.fusion import Restoration


@dataclass(frozen=True)
class Sampled(Restoration):
    """A restoration made from draws of p(x | y).

    Attributes:
        draws: (K,N,C,H,W), K draws of every image of the batch, not clipped.
    """

    draws: Tensor = field(default_factory=lambda: torch.empty(0, 0, 0, 0, 0))

    def variance(self) -> Tensor | None:
        """Return the variance over draws per pixel (N,1,H,W), unbiased, its mean over channels; None of one draw."""
        if len(self.draws) < 2:
            return None
        return self.draws.var(dim=0, unbiased=True).mean(dim=1, keepdim=True)
