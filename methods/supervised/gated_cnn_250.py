"""Our inpainting network, trained on the paper's 250 images of one set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised.gated_cnn import GatedCnn


@dataclass(frozen=True)
class GatedCnn250(GatedCnn):
    """`gated-cnn` with as much data as the paper's rivals had: the training images of lsun-bedroom, nothing else."""

    name: ClassVar[str] = "gated-cnn-250"
    summary: ClassVar[str] = "gated-cnn trained on the 250 bedrooms of the paper alone"
    stem: ClassVar[str] = "gated-cnn-250-bedroom"
