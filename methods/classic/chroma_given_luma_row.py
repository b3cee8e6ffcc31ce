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
    rounding, the maximiser of AuC. The table is fitted on training images by `methods.classic.fit_chroma`. This row
    uses all three LSUN training sets; the rows below were fitted on one set each, for images of its kind.
    """

    name: ClassVar[str] = "chroma-given-luma-row"
    summary: ClassVar[str] = "the median chroma given luma and relative row (LSUN)"
    citation: ClassVar[str] = "baseline, no source; table fitted by methods.classic.fit_chroma"
    statistic: ClassVar[str] = "luma_row"


@dataclass(frozen=True)
class ChromaGivenLumaRowBedroom(ChromaGivenLumaRow):
    """The same, fitted on the training images of LSUN bedroom."""

    name: ClassVar[str] = "chroma-given-luma-row-bedroom"
    summary: ClassVar[str] = "the median chroma given luma and relative row (LSUN bedroom)"

    trained_on: str = "lsun-bedroom"


@dataclass(frozen=True)
class ChromaGivenLumaRowChurch(ChromaGivenLumaRow):
    """The same, fitted on the training images of LSUN church."""

    name: ClassVar[str] = "chroma-given-luma-row-church"
    summary: ClassVar[str] = "the median chroma given luma and relative row (LSUN church)"

    trained_on: str = "lsun-church"


@dataclass(frozen=True)
class ChromaGivenLumaRowConference(ChromaGivenLumaRow):
    """The same, fitted on the training images of LSUN conference."""

    name: ClassVar[str] = "chroma-given-luma-row-conference"
    summary: ClassVar[str] = "the median chroma given luma and relative row (LSUN conference)"

    trained_on: str = "lsun-conference"
