"""ADNet for colour images and σ = 25, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised._adnet_color import ADNetColor


@dataclass(frozen=True)
class ADNetColor25(ADNetColor):
    """ADNet for colour images, σ = 25; see `ADNetColor`."""

    name: ClassVar[str] = "adnet-color-25"
    summary: ClassVar[str] = "colour ADNet for σ 25, published weights; gray as itself and its mirror images"
    file: ClassVar[str] = "hellloxiaotian-ADNet/color/c25/model_70.pth"
    level: ClassVar[int] = 25
