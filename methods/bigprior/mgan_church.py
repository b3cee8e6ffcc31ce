"""Multi-code inversion of the PGGAN that was trained on LSUN churches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.bigprior._pggan import Mgan


@dataclass(frozen=True)
class MganChurch(Mgan):
    """The generator of LSUN churchoutdoor; see `Mgan`."""

    name: ClassVar[str] = "mgan-church"
    summary: ClassVar[str] = "multi-code inversion of a GAN trained on LSUN churchoutdoor"
    generator: ClassVar[str] = "churchoutdoor256"
