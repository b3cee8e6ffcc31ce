"""DnCNN for gray images and σ = 50, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.tiles import Network
from methods.supervised._dncnn import SPECIFIC, dncnn
from methods.supervised._untold import OneLevel


@dataclass(frozen=True)
class DnCNNGray50(OneLevel):
    """x̂ = y − chain(y), DnCNN-S: 17 convolutions of 64 channels predict the noise.

    Source: K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
    for Image Denoising", IEEE TIP 26(7), 2017; weights `specifics/sigma=50.mat` of github.com/cszn/DnCNN.
    """

    name: ClassVar[str] = "dncnn-gray-50"
    summary: ClassVar[str] = "DnCNN for σ 50, published weights; on colour channel by channel"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017"
    )
    file: ClassVar[str] = "cszn-DnCNN/model/specifics/sigma=50.mat"
    channels: ClassVar[int] = 1
    radius: ClassVar[int] = SPECIFIC
    level: ClassVar[int] = 50

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        return dncnn(self.weights_here(), self.channels, SPECIFIC, dtype, device)
