"""Photographs of buildings with many repeated structures, for super-resolution."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Urban100(RegisteredSet):
    """Photographs of buildings with many repeated structures, for super-resolution.

    The sides are multiples of 4.
    """

    name: ClassVar[str] = "urban100"
    title: ClassVar[str] = "100 colour photographs of buildings"
    citation: ClassVar[str] = (
        "J.-B. Huang, A. Singh and N. Ahuja, Single Image Super-Resolution from Transformed Self-Exemplars, CVPR, "
        "2015; no terms stated, for research"
    )
    source: ClassVar[str] = "github.com/jbhuang0604/SelfExSR"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "jbhuang0604-SelfExSR/data/Urban100/image_SRF_4"
