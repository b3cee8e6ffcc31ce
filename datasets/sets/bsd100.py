"""The 100 test images of the first Berkeley segmentation dataset, for super-resolution."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Bsd100(RegisteredSet):
    """The 100 test images of the first Berkeley segmentation dataset, for super-resolution.

    68 of them are those of `cbsd68` less the last row and column. The other 32 are among the training images of
    `cbsd432`: networks that were trained here have seen them.
    """

    name: ClassVar[str] = "bsd100"
    title: ClassVar[str] = "100 colour Berkeley images, 480x320"
    citation: ClassVar[str] = (
        "D. Martin et al., A Database of Human Segmented Natural Images, ICCV, 2001; non-commercial research"
    )
    source: ClassVar[str] = "github.com/jbhuang0604/SelfExSR"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "jbhuang0604-SelfExSR/data/BSD100/image_SRF_4"
