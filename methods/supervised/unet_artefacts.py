"""Our network against the artefacts of compression and enlargement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.denoiser import denoise_both_ways, untrained
from bigprior.fusion import Restoration
from bigprior.networks import BiasFreeUNet
from bigprior.precision import Precision
from datasets.compression import DEBLOCKING, Jpeg
from datasets.observation import Observation
from datasets.operators import Operator, by_operator
from datasets.resize import BICUBIC_REDUCTION, BicubicReduction, resize
from datasets.task import Problem
from methods.supervised._trained import Trained


def decoded(observation: Observation) -> Tensor:
    """Return y."""
    return observation.y


def enlarged(observation: Observation) -> Tensor:
    """Return y enlarged to the grid of x, bicubic."""
    y = observation.y
    return resize(y, *observation.operator.image_shape(y.shape)[-2:])


STARTS: dict[type[Operator], Callable[[Observation], Tensor]] = {Jpeg: decoded, BicubicReduction: enlarged}
"""What of y the network is given, by operator."""


@dataclass(frozen=True)
class UNetArtefacts(Trained[BiasFreeUNet]):
    """x̂ = z − F(z), z the decoded JPEG or y enlarged by MATLAB's bicubic `imresize`, F a U-Net without biases.

    One network for JPEG of quality 5 to 60 and for scales 2, 3 and 4, told neither; trained on the training splits of
    CBSD432 and LSUN (`weights/artefacts.md`) from the weights of `unet-blind`. The mean of what it gives for the image
    and for its mirror image at the diagonal. A gray image is given as R = G = B, and the mean of the channels is taken.
    Noise beside the reduction is not what it was trained for.

    Args:
        precision: of the convolutions; bfloat16 is about twice as fast as float32.

    Source of the idea, one network for several degradations: K. Zhang et al., "Beyond a Gaussian Denoiser" (DnCNN-3),
    IEEE TIP 2017; of the structure: see `bigprior.networks.BiasFreeUNet`; the weights are ours.
    """

    name: ClassVar[str] = "unet-artefacts"
    summary: ClassVar[str] = "our bias-free U-Net, one for JPEG and for two to four times the size"
    citation: ClassVar[str] = (
        "this suite, after K. Zhang et al., Beyond a Gaussian denoiser (DnCNN-3), IEEE TIP 2017; weights of this suite"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DEBLOCKING, BICUBIC_REDUCTION)

    precision: Precision = "bfloat16"

    @property
    def stem(self) -> str:
        return "artefacts"

    def restore(self, observation: Observation) -> Restoration:
        start = starting(observation)
        network = self.loaded(untrained, start)
        with self.computing(start):
            image = denoise_both_ways(network, start.expand(-1, 3, -1, -1), torch.zeros_like(start[:, 0, 0, 0]))
        return Restoration(image.mean(dim=1, keepdim=True) if start.shape[1] == 1 else image)


def starting(observation: Observation) -> Tensor:
    """Return z (N,C,H,W).

    Raises:
        ValueError: the operator is neither of the two.
    """
    return by_operator(STARTS, observation.operator, "unet-artefacts")(observation)
