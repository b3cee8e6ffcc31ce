"""A generator of the published layout with random weights: as fast as the trained one."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.priors.pggan import Layout


def random_state(layout: Layout) -> dict[str, Tensor]:
    """Return weights drawn from N(0, 1) with a fixed seed."""
    random = torch.Generator().manual_seed(0)
    return {key: torch.randn(shape, generator=random) if shape else torch.zeros(()) for key, shape in
            layout.shapes().items()}  # fmt: skip
