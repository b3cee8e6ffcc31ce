"""FDnCNN for gray images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from bigprior.checkpoints import check_shapes
from bigprior.tiles import Network
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._gray_mapped import GrayNoiseMapped
from methods.supervised._matconvnet_gray import read_gray_matconvnet

DEPTH = 20
CONVOLUTIONS = chain_shapes([f"conv{2 * k}" for k in range(1, DEPTH + 1)], (2, *[64] * (DEPTH - 1), 1))
SHAPES = CONVOLUTIONS | {"concat1": (0,)} | {f"relu{2 * k + 1}": (0,) for k in range(1, DEPTH)}


@dataclass(frozen=True)
class FDnCNNGray(GrayNoiseMapped):
    """x̂ = chain(y, σ): DnCNN with a second input channel, the map of σ; 20 convolutions of 64 channels.

    One network for σ 0 to 75; `GrayNoiseMapped` says what it does beyond, and with colour images.

    Source: K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
    for Image Denoising", IEEE TIP 26(7), 2017; the flexible variant and its weights `FDnCNN_gray.mat` are of its
    repository, github.com/cszn/DnCNN.
    """

    name: ClassVar[str] = "fdncnn-gray"
    summary: ClassVar[str] = "FDnCNN, published weights for σ 0–75 (over it: image scaled to 75); colour by channel"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017"
    )
    file: ClassVar[str] = "cszn-DnCNN/model/FDnCNN_gray.mat"
    radius: ClassVar[int] = DEPTH

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        return _network(self.weights_here(), dtype, device)


@cache
def _network(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    parameters = read_gray_matconvnet(file)
    check_shapes(file, f"a gray FDnCNN of {DEPTH} layers", parameters, SHAPES)
    return Chain.of(parameters, CONVOLUTIONS, dtype, device)
