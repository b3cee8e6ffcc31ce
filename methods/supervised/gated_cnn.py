"""Our inpainting network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.precision import Precision
from methods.supervised._gated import GatedInpainter
from methods.supervised._trained import TrainedOn


@dataclass(frozen=True)
class GatedCnn(GatedInpainter):
    """x̂ = y where observed, and s + F(s, m) in the hole: s a nearly harmonic fill, F a U-Net of gated convolutions.

    Trained on the training splits of LSUN with square, rectangular and free-form holes, for PSNR and a perceptual
    distance of VGG16 (`weights/gated-cnn.md`). A gray image is three equal channels, and the mean of the results is
    taken.

    Args:
        precision: of the convolutions.
        trained_on: all, or the 250 training images of lsun-bedroom alone.

    Source: J. Yu et al., "Free-Form Image Inpainting with Gated Convolution", ICCV 2019, for the gates. Deviations: one
    network instead of a coarse and a fine one, which starts from a smooth fill; no attention and no discriminator.
    """

    name: ClassVar[str] = "gated-cnn"
    summary: ClassVar[str] = "our gated U-Net on a smooth fill, trained on LSUN"
    citation: ClassVar[str] = (
        "this suite, after J. Yu et al., Free-form image inpainting with gated convolution, ICCV 2019"
    )
    variants: ClassVar[dict[str, str]] = {"gated-cnn-250": "gated-cnn[trained_on=lsun-bedroom]"}

    precision: Precision = "float32"
    trained_on: TrainedOn = "all"

    @property
    def stem(self) -> str:
        return "gated-cnn" if self.trained_on == "all" else "gated-cnn-250-bedroom"
