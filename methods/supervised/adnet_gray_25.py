"""ADNet for gray images and σ = 25, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.tiles import Network
from methods.supervised._adnet import RADIUS, adnet
from methods.supervised._untold import OneLevel


@dataclass(frozen=True)
class ADNetGray25(OneLevel):
    """x̂ = y − n ⊙ (W tanh([y, n]) + b): n is the noise that 16 convolutions predict, four of them dilated.

    Source: C. Tian, Y. Xu, Z. Li, W. Zuo, L. Fei and H. Liu, "Attention-Guided CNN for Image Denoising", Neural
    Networks 124, 2020; weights `gray/g25/model_70.pth` of github.com/hellloxiaotian/ADNet.
    """

    name: ClassVar[str] = "adnet-gray-25"
    summary: ClassVar[str] = "ADNet for σ 25, published weights; on colour channel by channel"
    citation: ClassVar[str] = "C. Tian et al., Attention-guided CNN for image denoising, Neural Networks 2020"
    file: ClassVar[str] = "hellloxiaotian-ADNet/gray/g25/model_70.pth"
    channels: ClassVar[int] = 1
    radius: ClassVar[int] = RADIUS
    level: ClassVar[int] = 25

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        return adnet(self.weights_here(), self.channels, dtype, device)
