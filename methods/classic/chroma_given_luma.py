"""The usual chroma of pixels of the same luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.classic._colorization import TabulatedChroma


@dataclass(frozen=True)
class ChromaGivenLuma(TabulatedChroma):
    """Chroma guess c(y): the median chroma of training pixels of the same luma, interpolated over luma.

    The median is the geometric one in CIELAB's ab plane, the minimiser of the mean CIE76 distance and so, up to
    rounding, the maximiser of AuC. The table is fitted on training images by `methods.classic.fit_chroma`.
    """

    name: ClassVar[str] = "chroma-given-luma"
    summary: ClassVar[str] = "the median chroma given luma"
    citation: ClassVar[str] = "baseline, no source; table fitted by methods.classic.fit_chroma"
    statistic: ClassVar[str] = "luma"
    variants: ClassVar[dict[str, str]] = {
        "chroma-given-luma-bedroom": "chroma-given-luma[trained_on=lsun-bedroom]",
        "chroma-given-luma-church": "chroma-given-luma[trained_on=lsun-church]",
        "chroma-given-luma-conference": "chroma-given-luma[trained_on=lsun-conference]",
    }
