"""Our inpainting network, trained against a critic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.precision import Precision
from methods.supervised._gated import GatedInpainter


@dataclass(frozen=True)
class GatedGan(GatedInpainter):
    """`gated-cnn` trained on for fills that a critic takes for photographs (`weights/gated-gan.md`).

    It gives up PSNR for LPIPS: which of the two rows is better depends on what is asked for (Y. Blau and T. Michaeli,
    "The Perception-Distortion Tradeoff", CVPR 2018). Look at its fills: texture where `gated-cnn` is smooth, but in
    large holes one texture, repeated, whatever the image. LPIPS prefers that to smoothness; a person may not.

    Args:
        precision: of the convolutions.
    """

    name: ClassVar[str] = "gated-gan"
    summary: ClassVar[str] = "gated-cnn trained on against a critic: sharper, further from the truth"
    citation: ClassVar[str] = (
        "this suite, after J. Yu et al., Free-form image inpainting with gated convolution, ICCV 2019"
    )

    precision: Precision = "float32"

    @property
    def stem(self) -> str:
        return "gated-gan"
