"""LSUN conference rooms."""

from __future__ import annotations

from typing import ClassVar

from datasets.sets._lsun import Lsun


class LsunConference(Lsun):
    """LSUN conference rooms with the BIGPrior paper's split."""

    name: ClassVar[str] = "lsun-conference"
    title: ClassVar[str] = "LSUN conference rooms, 256x256, the BIGPrior paper's split"
    folder: ClassVar[str] = "majedelhelou-BIGPrior/data/lsun/data/conference"
    disjoint_from: ClassVar[tuple[str, ...]] = ("lsun-conference:train",)
