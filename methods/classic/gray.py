"""No colour at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.classic._colorization import Colorization


@dataclass(frozen=True)
class Gray(Colorization):
    """Chroma guess 0: R = G = B = y. The score that any colour has to beat."""

    name: ClassVar[str] = "gray"
    summary: ClassVar[str] = "the luma image without colour"
    citation: ClassVar[str] = "baseline, no source"

    def chroma(self, luma: Tensor) -> Tensor:
        return luma.new_zeros(1).expand(luma.shape[0], 2, *luma.shape[2:])
