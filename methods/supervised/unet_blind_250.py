"""Our denoising network, trained on the paper's 250 images of one set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised.unet_blind import UNetBlind


@dataclass(frozen=True)
class UNetBlind250(UNetBlind):
    """`unet-blind` with as much data as the paper's rivals had: the training images of lsun-bedroom, nothing else."""

    name: ClassVar[str] = "unet-blind-250"
    summary: ClassVar[str] = "unet-blind trained on the 250 bedrooms of the paper alone"
    stem: ClassVar[str] = "unet-250-bedroom"
