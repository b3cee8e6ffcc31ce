"""LSUN church buildings."""

from __future__ import annotations

from typing import ClassVar

from datasets.sets._lsun import Lsun


class LsunChurch(Lsun):
    """LSUN church buildings with the BIGPrior paper's split."""

    name: ClassVar[str] = "lsun-church"
    title: ClassVar[str] = "LSUN church buildings, 256x256, the BIGPrior paper's split"
    folder: ClassVar[str] = "majedelhelou-BIGPrior/data/lsun/data/church"
    disjoint_from: ClassVar[tuple[str, ...]] = ("lsun-church:train",)
