"""Compression artefacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from datasets.compression import DEBLOCKING, Jpeg
from datasets.noise import NoNoise
from datasets.observation import Observation, Truth
from datasets.spec import Within, check_ranges
from datasets.task import Key, Problem, Task


@dataclass(frozen=True)
class JpegTask(Task):
    """y = what a baseline JPEG of quality q leaves of x; see `datasets.compression.Jpeg`. The quality is known.

    Args:
        quality: q, 1 to 100.
    """

    name: ClassVar[str] = "jpeg"
    summary: ClassVar[str] = "the artefacts of JPEG compression"
    problem: ClassVar[Problem] = DEBLOCKING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")
    level: ClassVar[str] = "quality"
    level_title: ClassVar[str] = "JPEG quality"

    quality: Annotated[int, Within(1, 100)] = 10

    def __post_init__(self) -> None:
        check_ranges(self)

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        x = clean.unsqueeze(0)
        operator = Jpeg(self.quality)
        return Observation(operator.forward(x), operator, NoNoise(), Truth(x, NoNoise()))

    def level_of(self, truth: Truth) -> float:
        return float(self.quality)
