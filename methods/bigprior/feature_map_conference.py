"""Inversion by feature maps of the PGGAN that was trained on LSUN conference rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.bigprior._pggan import FeatureMapRow


@dataclass(frozen=True)
class FeatureMapConference(FeatureMapRow):
    """The generator of LSUN conferenceroom; see `FeatureMapRow`."""

    name: ClassVar[str] = "feature-map-conference"
    summary: ClassVar[str] = "inversion by feature maps of a GAN trained on LSUN conferenceroom"
    generator: ClassVar[str] = "conferenceroom256"
