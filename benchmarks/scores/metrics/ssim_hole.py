"""Structural similarity inside the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.scores.metric import Metric, image_sum, levels
from benchmarks.scores.metrics.ssim import WINDOWS, Moments, WindowName, moments, ssim_map


@dataclass(frozen=True)
class HoleSSIM(Metric):
    """Mean of the local structural similarity over the pixels that were not observed, and over the channels.

    The local similarity of a hole pixel looks at its whole window, observed pixels included. Hole pixels nearer to
    the border of the image than half a window have no whole window and do not count. NaN if none is left, or for an
    image smaller than the window.

    Args:
        window: gaussian or uniform; see SSIM.
    """

    name: ClassVar[str] = "ssim_hole"
    title: ClassVar[str] = "hole SSIM"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 4
    limits: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    window: WindowName = "gaussian"

    @property
    def signature(self) -> str:
        return f"ssim|rgb|{WINDOWS[self.window].signature}|u8|hole"

    def prepare(self, reference: Tensor, mask: Tensor) -> tuple[Moments, Tensor] | None:
        window = WINDOWS[self.window]
        found = moments(levels(reference), window)
        r = window.radius
        return None if found is None else (found, mask[..., r : mask.shape[-2] - r, r : mask.shape[-1] - r] == 0)

    def score(self, prepared: tuple[Moments, Tensor] | None, image: Tensor) -> Tensor:
        if prepared is None:
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        reference, hole = prepared
        similarity = ssim_map(reference, levels(image), WINDOWS[self.window])
        inside = image_sum(torch.where(hole, similarity, 0))
        return inside / (hole.flatten(1).sum(dim=1) * image.shape[1])
