"""Score restorations: the reference's share of the work is done once per image and not once per method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.protocol import get_protocol


def quantise(image: Tensor) -> Tensor:
    """Clip to [0,1] and round to 8 bit (halves to even): multiples of 1/255 in the image's dtype. NaN stays NaN."""
    return (image.clamp(0, 1) * 255).round() / 255


@dataclass(frozen=True)
class Prepared:
    """What the metrics need of the references: their shape and, per image, one entry per metric."""

    shape: torch.Size
    images: tuple[dict[str, Any], ...]


class Scorer:
    """The metrics of a protocol on one device. Every image is computed by itself.

    So a value is the same to the last bit whatever the batch, the other metrics and the other methods are.

    Raises:
        SuiteError: an unknown protocol or metric.
    """

    def __init__(
        self,
        protocol: str,
        metrics: Sequence[str],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Choose what is computed, and where.

        Args:
            protocol: name of the protocol.
            metrics: names of the metrics.
            device: where images are moved to. Metal has no float64, which most metrics need: there, the CPU.
            dtype: precision of the quantised images and of the network of LPIPS.
        """
        chosen = get_protocol(protocol)
        self.metrics = {name: chosen.metric(name) for name in metrics}
        device = torch.device(device)
        self.device = torch.device("cpu") if device.type == "mps" else device
        self.dtype = dtype

    def _quantised(self, image: Tensor) -> Tensor:
        return quantise(image.detach().to(self.device)).to(self.dtype).contiguous()

    @torch.inference_mode()
    def prepare(self, clean: Tensor, mask: Tensor) -> Prepared:
        """Quantise the references and compute each metric's share of them.

        Args:
            clean: (N,C,H,W).
            mask: (N,1,H,W), 1 where a pixel was observed, 0 in the hole.

        Raises:
            SuiteError: a metric has no weights (`Metric.unavailable` says so beforehand).
        """
        images = []
        for reference, observed in zip(self._quantised(clean).split(1), mask.to(self.device).split(1), strict=True):
            images.append({name: metric.prepare(reference, observed) for name, metric in self.metrics.items()})
        return Prepared(clean.shape, tuple(images))

    @torch.inference_mode()
    def score(self, prepared: Prepared, image: Tensor) -> dict[str, Tensor]:
        """Return one value per image (N,), float64 on the CPU, by the metric's name.

        Args:
            prepared: what `prepare` returned.
            image: restorations (N,C,H,W), not clipped.

        Raises:
            ValueError: the shape is not the reference's.
        """
        if image.shape != prepared.shape:
            raise ValueError(f"the image is {tuple(image.shape)}, its reference {tuple(prepared.shape)}")
        batch = self._quantised(image).split(1)
        return {
            name: torch.cat(
                [metric.score(share[name], one) for share, one in zip(prepared.images, batch, strict=True)]
            ).cpu()
            for name, metric in self.metrics.items()
        }
