"""Five standard grayscale images, for JPEG deblocking."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Classic5(RegisteredSet):
    """Five standard grayscale images, for JPEG deblocking."""

    name: ClassVar[str] = "classic5"
    title: ClassVar[str] = "5 grayscale test images, 512x512"
    citation: ClassVar[str] = (
        "A. Foi, V. Katkovnik and K. Egiazarian, Pointwise Shape-Adaptive DCT, IEEE TIP, 2007 (the selection); "
        "the images are old standards of mixed origin, for research"
    )
    source: ClassVar[str] = "github.com/cszn/DnCNN"
    colour: ClassVar[bool] = False
    folder: ClassVar[str] = "cszn-DnCNN/testsets/classic5"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
