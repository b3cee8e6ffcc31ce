"""Score restorations: the reference's share of the work is done once per image and not once per method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.scores.measure import Measure
from benchmarks.scores.metric import Metric, SetMetric


def quantise(image: Tensor) -> Tensor:
    """Clip to [0,1] and round to 8 bit (halves to even): multiples of 1/255 in the image's dtype. NaN stays NaN."""
    return image.clamp(0, 1).mul_(255).round_().div_(255)


@dataclass(frozen=True)
class Prepared:
    """What the metrics need of the references: their shape and, per image, one entry per metric."""

    shape: torch.Size
    images: tuple[dict[str, Any], ...]


class Scorer:
    """The metrics of a run on one device. Every image is computed by itself.

    So a value is the same to the last bit whatever the batch, the other metrics and the other methods are.
    """

    def __init__(
        self, measures: Sequence[Measure], device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        """Choose what is computed, and where.

        Args:
            measures: the metrics with the names of their columns.
            device: where images are moved to. Metal has no float64, which most metrics need: there, the CPU.
            dtype: precision of the quantised images and of the network of LPIPS.
        """
        self.metrics = {m.name: m.metric for m in measures if isinstance(m.metric, Metric)}
        self.set_metrics = {m.name: m.metric for m in measures if isinstance(m.metric, SetMetric)}
        device = torch.device(device)
        self.device = torch.device("cpu") if device.type == "mps" else device
        self.dtype = dtype

    def _both(self, image: Tensor) -> dict[bool, Tensor]:
        """The image as metrics want it: {True: quantised, False: as it is}."""
        here = image.detach().to(self.device)
        return {True: quantise(here).to(self.dtype).contiguous(), False: here.to(self.dtype).contiguous()}

    @torch.inference_mode()
    def prepare(self, clean: Tensor, mask: Tensor) -> Prepared:
        """Compute each metric's share of the references.

        Args:
            clean: (N,C,H,W).
            mask: (N,1,H,W), 1 where a pixel was observed, 0 in the hole.

        Raises:
            SuiteError: a metric has no weights (`Metric.unavailable` says so beforehand).
        """
        both = self._both(clean)
        images = [
            {
                name: metric.prepare(both[metric.quantised][n : n + 1], mask[n : n + 1].to(self.device))
                for name, metric in self.metrics.items()
            }
            for n in range(len(clean))
        ]
        return Prepared(clean.shape, tuple(images))

    @torch.inference_mode()
    def score(self, prepared: Prepared, image: Tensor) -> dict[str, Tensor]:
        """Return one value per image (N,), float64 on the CPU, by the name of the column.

        Args:
            prepared: what `prepare` returned.
            image: restorations (N,C,H,W), not clipped.

        Raises:
            ValueError: the shape is not the reference's.
        """
        if image.shape != prepared.shape:
            raise ValueError(f"the image is {tuple(image.shape)}, its reference {tuple(prepared.shape)}")
        both = self._both(image)
        return {
            name: torch.cat(
                [metric.score(share[name], both[metric.quantised][n : n + 1])
                 for n, share in enumerate(prepared.images)]
            ).cpu()
            for name, metric in self.metrics.items()
        }  # fmt: skip

    @torch.inference_mode()
    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return the description (N,D) of images (N,C,H,W) by every metric of sets, on the CPU."""
        both = self._both(image) if self.set_metrics else {}
        return {name: metric.features(both[metric.quantised]).cpu() for name, metric in self.set_metrics.items()}
