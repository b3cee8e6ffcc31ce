"""Our denoising network, which is told an estimate of the noise level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.precision import Precision
from datasets.observation import Observation
from methods.noise import estimate_sigma
from methods.supervised._trained import TrainedOn
from methods.supervised._unet import UNetDenoiser


@dataclass(frozen=True)
class UNetBlind(UNetDenoiser):
    """x̂ = y − F(y, σ̂(y)), F a U-Net without biases that was trained at σ 0 to 55; the true σ is never read.

    σ̂ is the estimate of `methods.noise.estimate_sigma`, within 1% of σ on colour images. The network also works
    without any level, but not as well on whole images as on the crops of its training (`weights/unet.md`).

    The mean of what it gives for the image and for its mirror image at the diagonal (`denoise_both_ways`).

    F(a·y) = a·F(y), so a level beyond 55/255 is met as if the image were darker. Trained on the training splits of
    CBSD432 and LSUN (`weights/unet.md`).

    Args:
        precision: of the convolutions; bfloat16 is about twice as fast as float32.
        trained_on: all, or the 250 training images of lsun-bedroom alone.

    Source of the structure: see `bigprior.networks.BiasFreeUNet`; the weights are ours.
    """

    name: ClassVar[str] = "unet-blind"
    summary: ClassVar[str] = "our bias-free U-Net, told an estimate of σ; gray images as three equal channels"
    citation: ClassVar[str] = (
        "this suite, after S. Mohan et al., Robust and interpretable blind denoising via bias-free networks, ICLR 2020"
    )
    variants: ClassVar[dict[str, str]] = {"unet-blind-250": "unet-blind[trained_on=lsun-bedroom]"}

    precision: Precision = "bfloat16"
    trained_on: TrainedOn = "all"

    @property
    def stem(self) -> str:
        return "unet" if self.trained_on == "all" else "unet-250-bedroom"

    def restore(self, observation: Observation) -> Restoration:
        return self.restored(observation, estimate_sigma(observation.y))
