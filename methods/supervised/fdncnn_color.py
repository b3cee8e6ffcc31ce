"""FDnCNN for colour images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from bigprior.checkpoints import check_shapes
from bigprior.tiles import Network
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._matconvnet import read_matconvnet
from methods.supervised._published import NoiseMapped

DEPTH = 20
CONVOLUTIONS = chain_shapes([f"conv{2 * k}" for k in range(1, DEPTH + 1)], (4, *[64] * (DEPTH - 1), 3))
SHAPES = CONVOLUTIONS | {"concat1": (0,)} | {f"relu{2 * k + 1}": (0,) for k in range(1, DEPTH)}


@dataclass(frozen=True)
class FDnCNNColor(NoiseMapped):
    """x̂ = chain(y, σ): DnCNN with a fourth input channel, the map of σ; 20 convolutions of 64 channels.

    One network for σ 0 to 75; `NoiseMapped` says what it does beyond, and with gray images.

    Source: K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
    for Image Denoising", IEEE TIP 26(7), 2017; the flexible variant and its weights `FDnCNN_color.mat` are of its
    repository, github.com/cszn/DnCNN.
    """

    name: ClassVar[str] = "fdncnn-color"
    summary: ClassVar[str] = "FDnCNN, published weights for σ 0–75 (over it: image scaled to 75); gray as RGB with √3 σ"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017"
    )
    file: ClassVar[str] = "cszn-DnCNN/model/FDnCNN_color.mat"
    radius: ClassVar[int] = DEPTH

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        return _network(self.weights_here(), dtype, device)


@cache
def _network(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    parameters = read_matconvnet(file)
    check_shapes(file, f"a colour FDnCNN of {DEPTH} layers", parameters, SHAPES)
    return Chain.of(parameters, CONVOLUTIONS, dtype, device)
