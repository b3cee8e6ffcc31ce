"""Multi-code inversion of the PGGAN that was trained on LSUN bedrooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.bigprior._pggan import Mgan


@dataclass(frozen=True)
class MganBedroom(Mgan):
    """The generator of LSUN bedroom; see `Mgan`."""

    name: ClassVar[str] = "mgan-bedroom"
    summary: ClassVar[str] = "multi-code inversion of a GAN trained on LSUN bedroom"
    generator: ClassVar[str] = "bedroom256"
