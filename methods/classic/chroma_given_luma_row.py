"""The usual chroma of pixels of the same luma and height in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.classic._colorization import TabulatedChroma


@dataclass(frozen=True)
class ChromaGivenLumaRow(TabulatedChroma):
    """Chroma guess c(y, i/H): the median chroma of training pixels of the same luma and height in the
    image, interpolated over both.

    The median is the geometric one in CIELAB's ab plane, the minimiser of the mean CIE76 distance and so, up to
    rounding, the maximiser of AuC. The table is fitted on training images by `methods.classic.fit_chroma`.
    """

    name: ClassVar[str] = "chroma-given-luma-row"
    summary: ClassVar[str] = "the median chroma given luma and relative row"
    citation: ClassVar[str] = "baseline, no source; table fitted by methods.classic.fit_chroma"
    statistic: ClassVar[str] = "luma_row"
    variants: ClassVar[dict[str, str]] = {
        "chroma-given-luma-row-bedroom": "chroma-given-luma-row[trained_on=lsun-bedroom]",
        "chroma-given-luma-row-church": "chroma-given-luma-row[trained_on=lsun-church]",
        "chroma-given-luma-row-conference": "chroma-given-luma-row[trained_on=lsun-conference]",
    }
