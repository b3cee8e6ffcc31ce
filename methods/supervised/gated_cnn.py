"""Our inpainting network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.networks import GatedUNet
from datasets.observation import Observation
from methods.supervised._gated import inpaint, untrained
from methods.supervised._trained import Precision, Trained


@dataclass(frozen=True)
class GatedCnn(Trained[GatedUNet]):
    """x̂ = y where observed, and s + F(s, m) in the hole: s a nearly harmonic fill, F a U-Net of gated convolutions.

    Trained on the training splits of LSUN with square, rectangular and free-form holes, for PSNR and a perceptual
    distance of VGG16 (`weights/gated-cnn.md`). A gray image is three equal channels, and the mean of the results is
    taken.

    Attributes:
        precision: of the convolutions.

    Source: J. Yu et al., "Free-Form Image Inpainting with Gated Convolution", ICCV 2019, for the gates. Deviations: one
    network instead of a coarse and a fine one, which starts from a smooth fill; no attention and no discriminator.
    """

    name: ClassVar[str] = "gated-cnn"
    summary: ClassVar[str] = "our gated U-Net on a smooth fill, trained on LSUN"
    citation: ClassVar[str] = (
        "this suite, after J. Yu et al., Free-form image inpainting with gated convolution, ICCV 2019"
    )
    tasks: ClassVar[tuple[str, ...]] = ("inpaint-center", "inpaint-random")
    stem: ClassVar[str] = "gated-cnn"

    precision: Precision = "float32"

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        network = self.loaded(untrained, y)
        with self.computing(y):
            image = inpaint(network, y.expand(-1, 3, -1, -1), observation.mask)
        return Restoration(image if y.shape[1] == 3 else image.mean(dim=1, keepdim=True))
