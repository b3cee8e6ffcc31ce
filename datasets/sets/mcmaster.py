"""The McMaster demosaicking images."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class McMaster(RegisteredSet):
    """The McMaster demosaicking images."""

    name: ClassVar[str] = "mcmaster"
    title: ClassVar[str] = "18 colour McMaster photographs, 500x500"
    citation: ClassVar[str] = (
        "L. Zhang et al., Color demosaicking by local directional interpolation and nonlocal adaptive thresholding, "
        "Journal of Electronic Imaging, 2011; for research"
    )
    source: ClassVar[str] = "github.com/cszn/FFDNet"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "cszn-FFDNet/testsets/McMaster"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
