"""The reference images of the LIVE database, for JPEG deblocking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from datasets.dataset import Entry, RegisteredImage, RegisteredSet


@dataclass(frozen=True)
class LumaImage(RegisteredImage):
    """The luma of a colour image of the registry, as a gray image."""

    def load(self) -> Tensor:
        return luma(super().load())


@dataclass(frozen=True)
class Live1(RegisteredSet):
    """The reference images of the LIVE database, for JPEG deblocking.

    Args:
        luma: the images are luma alone, gray: what the literature of JPEG compresses and scores.
    """

    name: ClassVar[str] = "live1"
    title: ClassVar[str] = "29 colour photographs"
    citation: ClassVar[str] = (
        "H. R. Sheikh et al., LIVE Image Quality Assessment Database, release 2, University of Texas at Austin, 2005; "
        "for research"
    )
    source: ClassVar[str] = "github.com/cszn/DnCNN"
    folder: ClassVar[str] = "cszn-DnCNN/testsets/LIVE1"
    variants: ClassVar[dict[str, str]] = {"live1-luma": "live1[luma=true]"}

    luma: bool = False

    @property
    def colour(self) -> bool:  # type: ignore[override]
        """False if the images are luma alone."""
        return not self.luma

    @property
    def label(self) -> str:
        return "live1-luma" if self.luma else "live1"

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        kind = LumaImage if self.luma else RegisteredImage
        return [kind(Path(path).stem, path, self.label) for path in self.paths(split)]


def luma(image: Tensor) -> Tensor:
    """Return the luma (1,H,W) of a colour image (3,H,W) as MATLAB's rgb2ycbcr has it, on 16 to 235, in whole levels."""
    r, g, b = (image.double() * 255).unbind()
    y = (65.481 * r + 128.553 * g + 24.966 * b) / 255 + 16
    return ((y + 0.5).floor() / 255).to(torch.float32)[None]
