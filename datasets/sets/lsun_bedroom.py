"""LSUN bedrooms."""

from __future__ import annotations

from typing import ClassVar

from datasets.sets._lsun import Lsun


class LsunBedroom(Lsun):
    """LSUN bedrooms with the BIGPrior paper's split."""

    name: ClassVar[str] = "lsun-bedroom"
    title: ClassVar[str] = "LSUN bedrooms, 256x256, the BIGPrior paper's split"
    folder: ClassVar[str] = "majedelhelou-BIGPrior/data/lsun/data/bedroom"
    disjoint_from: ClassVar[tuple[str, ...]] = ("lsun-bedroom:train",)
