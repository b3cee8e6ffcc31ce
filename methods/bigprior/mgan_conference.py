"""Multi-code inversion of the PGGAN that was trained on LSUN conference rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.bigprior._pggan import Mgan


@dataclass(frozen=True)
class MganConference(Mgan):
    """The generator of LSUN conferenceroom; see `Mgan`."""

    name: ClassVar[str] = "mgan-conference"
    summary: ClassVar[str] = "multi-code inversion of a GAN trained on LSUN conferenceroom"
    generator: ClassVar[str] = "conferenceroom256"
