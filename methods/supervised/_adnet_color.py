"""What the three colour ADNets share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.tiles import Network
from methods.supervised._adnet import RADIUS, adnet
from methods.supervised._untold import OneLevel


@dataclass(frozen=True)
class ADNetColor(OneLevel):
    """x̂ = y − n ⊙ (W tanh([y, n]) + b): n is the noise that 16 convolutions predict, four of them dilated.

    The network reads and writes blue, green, red: it was trained on what OpenCV reads.

    Source: C. Tian, Y. Xu, Z. Li, W. Zuo, L. Fei and H. Liu, "Attention-Guided CNN for Image Denoising", Neural
    Networks 124, 2020; weights `color/c*/model_70.pth` of github.com/hellloxiaotian/ADNet.
    """

    citation: ClassVar[str] = "C. Tian et al., Attention-guided CNN for image denoising, Neural Networks 2020"
    channels: ClassVar[int] = 3
    radius: ClassVar[int] = RADIUS

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        bgr = adnet(self.weights_here(), self.channels, dtype, device)

        def network(y: Tensor) -> Tensor:
            return bgr(y.flip(1)).flip(1)

        return network
