"""68 natural images of the Berkeley segmentation dataset, grayscale."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Bsd68(RegisteredSet):
    """68 natural images of the Berkeley segmentation dataset, grayscale."""

    name: ClassVar[str] = "bsd68"
    title: ClassVar[str] = "68 grayscale Berkeley images, 481x321"
    citation: ClassVar[str] = (
        "S. Roth and M. J. Black, Fields of Experts, IJCV, 2009 (the selection); "
        "D. Martin et al., A Database of Human Segmented Natural Images, ICCV, 2001; non-commercial research"
    )
    source: ClassVar[str] = "github.com/cszn/DnCNN"
    colour: ClassVar[bool] = False
    folder: ClassVar[str] = "cszn-DnCNN/testsets/BSD68"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
