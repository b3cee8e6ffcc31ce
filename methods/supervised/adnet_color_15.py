"""ADNet for colour images and σ = 15, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised._adnet_color import ADNetColor


@dataclass(frozen=True)
class ADNetColor15(ADNetColor):
    """ADNet for colour images, σ = 15; see `ADNetColor`."""

    name: ClassVar[str] = "adnet-color-15"
    summary: ClassVar[str] = "colour ADNet for σ 15, published weights; gray as itself and its mirror images"
    file: ClassVar[str] = "hellloxiaotian-ADNet/color/c15/model_70.pth"
    level: ClassVar[int] = 15
