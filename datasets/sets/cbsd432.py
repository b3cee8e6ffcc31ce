"""The colour Berkeley images that are not in BSD68, for training."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Cbsd432(RegisteredSet):
    """The colour Berkeley images that are not in BSD68, for training."""

    name: ClassVar[str] = "cbsd432"
    title: ClassVar[str] = "432 colour Berkeley images for training"
    citation: ClassVar[str] = (
        "D. Martin et al., A Database of Human Segmented Natural Images, ICCV, 2001; non-commercial research"
    )
    source: ClassVar[str] = "github.com/majedelhelou/BUIFD"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "majedelhelou-BUIFD/Training/training_data/CBSD432"
    splits: ClassVar[tuple[str, ...]] = ("train",)
