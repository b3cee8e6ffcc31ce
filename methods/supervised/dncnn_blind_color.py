"""Blind DnCNN for colour images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.tiles import Network
from methods.supervised._dncnn import BLIND, dncnn
from methods.supervised._untold import Untold


@dataclass(frozen=True)
class DnCNNBlindColor(Untold):
    """x̂ = y − chain(y), CDnCNN-B: 20 convolutions of 64 channels predict the noise.

    One network for σ 0 to 55, never told σ.

    Source: K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
    for Image Denoising", IEEE TIP 26(7), 2017; weights `GD_Color_Blind.mat` of github.com/cszn/DnCNN.
    """

    name: ClassVar[str] = "dncnn-blind-color"
    summary: ClassVar[str] = "CDnCNN-B, published weights for σ 0–55, never told σ; gray with its mirror images"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017"
    )
    file: ClassVar[str] = "cszn-DnCNN/model/GD_Color_Blind.mat"
    channels: ClassVar[int] = 3
    radius: ClassVar[int] = BLIND

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        return dncnn(self.weights_here(), self.channels, BLIND, dtype, device)
