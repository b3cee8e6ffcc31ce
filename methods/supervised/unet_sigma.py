"""Our denoising network, told the noise level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.precision import Precision
from datasets.observation import Observation
from methods.base import noise_level
from methods.supervised._unet import UNetDenoiser


@dataclass(frozen=True)
class UNetSigma(UNetDenoiser):
    """x̂ = y − F(y, σ): the same weights as `unet-blind`, with a constant map of the true σ beside the image.

    In blind denoising σ is estimated, as there. Trained at σ 0 to 55; beyond, see `unet-blind`.

    Args:
        precision: of the convolutions, as in `unet-blind`.
    """

    name: ClassVar[str] = "unet-sigma"
    summary: ClassVar[str] = "our bias-free U-Net, told σ: the same weights as unet-blind"
    citation: ClassVar[str] = (
        "this suite, after S. Mohan et al., Robust and interpretable blind denoising via bias-free networks, ICLR 2020"
    )
    uses_sigma: ClassVar[bool] = True

    precision: Precision = "bfloat16"

    @property
    def stem(self) -> str:
        return "unet"

    def restore(self, observation: Observation) -> Restoration:
        return self.restored(observation, noise_level(observation))
