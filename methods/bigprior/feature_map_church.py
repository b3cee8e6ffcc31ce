"""Inversion by feature maps of the PGGAN that was trained on LSUN churches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.bigprior._pggan import FeatureMapRow


@dataclass(frozen=True)
class FeatureMapChurch(FeatureMapRow):
    """The generator of LSUN churchoutdoor; see `FeatureMapRow`."""

    name: ClassVar[str] = "feature-map-church"
    summary: ClassVar[str] = "inversion by feature maps of a GAN trained on LSUN churchoutdoor"
    generator: ClassVar[str] = "churchoutdoor256"
