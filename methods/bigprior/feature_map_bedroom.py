"""Inversion by feature maps of the PGGAN that was trained on LSUN bedrooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.bigprior._pggan import FeatureMapRow


@dataclass(frozen=True)
class FeatureMapBedroom(FeatureMapRow):
    """The generator of LSUN bedroom; see `FeatureMapRow`."""

    name: ClassVar[str] = "feature-map-bedroom"
    summary: ClassVar[str] = "inversion by feature maps of a GAN trained on LSUN bedroom"
    generator: ClassVar[str] = "bedroom256"
