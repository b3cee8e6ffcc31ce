"""Small generators with random weights in the official layout, for the tests of the inversions."""

from __future__ import annotations

import torch
from torch import Tensor

from bigprior.priors.pggan import Layout

SMALL = Layout(resolution=32, code=16, base=256, most=16)


def official_state(layout: Layout = SMALL, seed: int = 0) -> dict[str, Tensor]:
    """Weights from N(0, 1), as PGGAN starts its training, biases from N(0, 0.1²); images of a natural contrast."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in layout.shapes().items():
        tensor = torch.randn(shape, generator=random) if shape else torch.zeros(())
        scale = 1.0 if ".conv." in key else 0.1
        state[key] = tensor * (0.3 if key.startswith("output") else scale)
    return state
