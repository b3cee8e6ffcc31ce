"""One colour cast for every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.classic._colorization import TabulatedChroma


@dataclass(frozen=True)
class ConstantChroma(TabulatedChroma):
    """Chroma guess c, the same (B−Y, R−Y) at every pixel: the median chroma of the training images at middle gray.

    The median is the geometric one in CIELAB's ab plane, as in `fit_chroma`.
    """

    name: ClassVar[str] = "constant-chroma"
    summary: ClassVar[str] = "the median chroma of training images at every pixel"
    citation: ClassVar[str] = "baseline, no source; table fitted by methods.classic.fit_chroma"
    statistic: ClassVar[str] = "constant"
