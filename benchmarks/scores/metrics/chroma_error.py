"""Mean chroma error (colorization)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.scores.metric import Metric, image_mean
from benchmarks.scores.metrics._lab import chroma, chroma_distance


@dataclass(frozen=True)
class ChromaError(Metric):
    """Mean over the pixels of the Euclidean distance in the ab plane of CIE L*a*b* (CIE76 without lightness).

    NaN for gray images.
    """

    name: ClassVar[str] = "chroma_error"
    title: ClassVar[str] = "ab error"
    higher_is_better: ClassVar[bool] = False
    decimals: ClassVar[int] = 2
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @property
    def signature(self) -> str:
        return "chroma|ab|u8|mean"

    def prepare(self, reference: Tensor, mask: Tensor) -> Tensor | None:
        return chroma(reference)

    def score(self, prepared: Tensor | None, image: Tensor) -> Tensor:
        if prepared is None:
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        return image_mean(chroma_distance(prepared, image))
