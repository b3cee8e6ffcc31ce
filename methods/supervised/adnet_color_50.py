"""ADNet for colour images and σ = 50, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised._adnet_color import ADNetColor


@dataclass(frozen=True)
class ADNetColor50(ADNetColor):
    """ADNet for colour images, σ = 50; see `ADNetColor`."""

    name: ClassVar[str] = "adnet-color-50"
    summary: ClassVar[str] = "colour ADNet for σ 50, published weights; gray as itself and its mirror images"
    file: ClassVar[str] = "hellloxiaotian-ADNet/color/c50/model_70.pth"
    level: ClassVar[int] = 50
