"""The Kodak lossless true colour images, as FFDNet was tested on."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Kodak24(RegisteredSet):
    """The Kodak lossless true colour images, as FFDNet was tested on."""

    name: ClassVar[str] = "kodak24"
    title: ClassVar[str] = "24 colour Kodak photographs"
    citation: ClassVar[str] = (
        "R. Franzen, Kodak Lossless True Color Image Suite, 1999; usually taken to be free for any use"
    )
    source: ClassVar[str] = "github.com/cszn/FFDNet"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "cszn-FFDNet/testsets/Kodak24"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
