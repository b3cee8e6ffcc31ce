"""The twelve classic grayscale test images of denoising."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Set12(RegisteredSet):
    """The twelve classic grayscale test images of denoising."""

    name: ClassVar[str] = "set12"
    title: ClassVar[str] = "12 grayscale test images, 256x256 and 512x512"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian Denoiser, IEEE TIP, 2017 (the selection); "
        "the images are old standards of mixed origin, for research"
    )
    source: ClassVar[str] = "github.com/cszn/DnCNN"
    colour: ClassVar[bool] = False
    folder: ClassVar[str] = "cszn-DnCNN/testsets/Set12"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
