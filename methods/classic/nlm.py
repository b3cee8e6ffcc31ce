from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad
from methods.classic._neighbours import Neighbours, Pair, average

def nlm_neighbours(y: Tensor, sigma: Tensor, patch: int, search: int, filtering: Tensor) -> Neighbours:
    radius = patch // 2
    padded = pad(y, (radius,) * 4, mode="reflect")
    inverse = -1 / filtering.square().clamp(min=1e-12)
    offset = 2*sigma.square()
    def grow(p: Pair)->Pair:
        return tuple(slice(s.start, s.stop + 2*radius) for s in p)

    def weight(dy: int, dx: int, here: Pair, there: Pair) -> Tensor:
        squared = (padded[..., *grow(here)] - padded[..., *grow(there)]).square_().mean(dim=1, keepdim=True)
        d = avg_pool2d(avg_pool2d(squared, (patch, 1), 1), (1, patch), 1)
        return d.sub_(offset).clamp_(min=0).mul_(inverse).exp_()

    return average(y, search // 2, weight)
