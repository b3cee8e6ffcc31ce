"""Total deep variation for colour images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.supervised._tdv import TotalDeepVariation


@dataclass(frozen=True)
class TDVColor(TotalDeepVariation):
    """Ten steps down a learned energy; `TotalDeepVariation` has the equation, φ and g.

    A gray image is made three equal channels of √3 σ, as `NoiseMapped` does, and the mean of the results is taken.
    """

    name: ClassVar[str] = "tdv-color"
    summary: ClassVar[str] = "total deep variation, published weights for σ 25 (others: scaled); gray as RGB with √3 σ"
    file: ClassVar[str] = "VLOGroup-tdv/checkpoints/tdv3-3-25-f32-color.pth"
    channels: ClassVar[int] = 3

    def seen(self, y: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return y.expand(-1, 3, -1, -1), level * (3 / y.shape[1]) ** 0.5

    def given_back(self, images: Tensor, y: Tensor) -> Tensor:
        return images.view(len(y), y.shape[1], -1, *y.shape[2:]).mean(dim=2)
