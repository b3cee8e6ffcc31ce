"""Where the data leave room for a prior: 1 there and 0 where they are exact, as maps on the grid of x."""

from __future__ import annotations

import torch
from torch import Tensor

from datasets.observation import Observation


def where_noisy(observation: Observation) -> Tensor:
    """Return 1 (N,1,H,W), but 0 in an image that is known to have no noise."""
    free = torch.ones_like(observation.mask)
    return free if observation.sigma is None else free * (observation.sigma > 0).view(-1, 1, 1, 1)


def in_holes(observation: Observation) -> Tensor:
    """Return 1 in the hole and 0 where a pixel was observed (N,1,H,W)."""
    return 1 - observation.mask


def everywhere(observation: Observation) -> Tensor:
    """Return 1 (N,1,H,W)."""
    return torch.ones_like(observation.mask)
