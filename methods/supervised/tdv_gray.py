"""Total deep variation for gray images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.supervised._tdv import TotalDeepVariation


@dataclass(frozen=True)
class TDVGray(TotalDeepVariation):
    """Ten steps down a learned energy; `TotalDeepVariation` has the equation, φ and g. Colour channel by channel."""

    name: ClassVar[str] = "tdv-gray"
    summary: ClassVar[str] = "total deep variation, published weights for σ 25 (others: scaled); colour by channel"
    file: ClassVar[str] = "VLOGroup-tdv/checkpoints/tdv3-3-25-f32-gray.pth"
    channels: ClassVar[int] = 1

    def seen(self, y: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        return y.reshape(-1, 1, *y.shape[2:]), level.repeat_interleave(y.shape[1], dim=0)

    def given_back(self, images: Tensor, y: Tensor) -> Tensor:
        return images.view_as(y)
