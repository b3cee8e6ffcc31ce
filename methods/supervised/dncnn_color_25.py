"""DnCNN for colour images and σ = 25, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.tiles import Network
from methods.supervised._dncnn import BLIND, dncnn
from methods.supervised._untold import OneLevel


@dataclass(frozen=True)
class DnCNNColor25(OneLevel):
    """x̂ = y − chain(y), colour DnCNN for one level: 20 convolutions of 64 channels predict the noise.

    Source: K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
    for Image Denoising", IEEE TIP 26(7), 2017; weights `specifics_color/color_sigma=25.mat` of github.com/cszn/DnCNN.
    """

    name: ClassVar[str] = "dncnn-color-25"
    summary: ClassVar[str] = "colour DnCNN for σ 25, published weights; gray as itself and its mirror images"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017"
    )
    file: ClassVar[str] = "cszn-DnCNN/model/specifics_color/color_sigma=25.mat"
    channels: ClassVar[int] = 3
    radius: ClassVar[int] = BLIND
    level: ClassVar[int] = 25

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        return dncnn(self.weights_here(), self.channels, BLIND, dtype, device)
