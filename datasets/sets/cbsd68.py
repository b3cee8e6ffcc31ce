"""The images of BSD68 in colour."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Cbsd68(RegisteredSet):
    """The images of BSD68 in colour."""

    name: ClassVar[str] = "cbsd68"
    title: ClassVar[str] = "68 colour Berkeley images, 481x321"
    citation: ClassVar[str] = (
        "S. Roth and M. J. Black, Fields of Experts, IJCV, 2009 (the selection); "
        "D. Martin et al., A Database of Human Segmented Natural Images, ICCV, 2001; non-commercial research"
    )
    source: ClassVar[str] = "github.com/clausmichele/CBSD68-dataset"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "clausmichele-CBSD68-dataset/CBSD68/original"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
