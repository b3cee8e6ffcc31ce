"""Our inpainting network, trained against a critic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised.gated_cnn import GatedCnn


@dataclass(frozen=True)
class GatedGan(GatedCnn):
    """`gated-cnn` trained on for fills that a critic takes for photographs (`weights/gated-gan.md`).

    It gives up PSNR for LPIPS: which of the two rows is better depends on what is asked for (Y. Blau and T. Michaeli,
    "The Perception-Distortion Tradeoff", CVPR 2018). Look at its fills: texture where `gated-cnn` is smooth, but in
    large holes one texture, repeated, whatever the image. LPIPS prefers that to smoothness; a person may not.
    """

    name: ClassVar[str] = "gated-gan"
    summary: ClassVar[str] = "gated-cnn trained on against a critic: sharper, further from the truth"
    stem: ClassVar[str] = "gated-gan"
