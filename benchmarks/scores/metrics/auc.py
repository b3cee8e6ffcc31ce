"""Area under the curve of chroma accuracy (colorization)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.scores.metric import Metric, image_mean
from benchmarks.scores.metrics._lab import chroma, chroma_distance

THRESHOLDS = 150


@dataclass(frozen=True)
class AuC(Metric):
    """Share of pixels whose chroma is at most t from the reference's, mean over t = 0, 1, ..., 149, in percent.

    The distance is CIE76 with L* set to 0 in both images, that is, the Euclidean distance in the ab plane
    (R. Zhang, P. Isola, A. A. Efros, "Colorful Image Colorization", ECCV 2016; thresholds as in BIGPrior).

    NaN for gray images.
    """

    name: ClassVar[str] = "auc"
    title: ClassVar[str] = "AuC"
    unit: ClassVar[str] = "%"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 2
    limits: ClassVar[tuple[float, float]] = (0.0, 100.0)

    @property
    def signature(self) -> str:
        return "auc|ab|u8|t0-149"

    def prepare(self, reference: Tensor, mask: Tensor) -> Tensor | None:
        return chroma(reference)

    def score(self, prepared: Tensor | None, image: Tensor) -> Tensor:
        if prepared is None:
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        return area_under_curve(chroma_distance(prepared, image))


def area_under_curve(distance: Tensor) -> Tensor:
    """Return 100/150 Σ_t mean[d ≤ t], t = 0, ..., 149, per image (N,) of distances (N,H,W), in one pass.

    A distance d ≥ 0 is at or under exactly those thresholds t with t ≥ ⌈d⌉: 150 − min(⌈d⌉, 150) of them.
    """
    missed = distance.ceil().clamp_(max=THRESHOLDS)
    return (THRESHOLDS - image_mean(missed)) * (100 / THRESHOLDS)
