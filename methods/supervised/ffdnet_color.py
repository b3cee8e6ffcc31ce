"""FFDNet for colour images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from bigprior.checkpoints import check_shapes
from bigprior.tiles import Network
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._matconvnet import read_matconvnet
from methods.supervised._published import NoiseMapped

DEPTH = 12
CONVOLUTIONS = chain_shapes([f"conv{2 * k + 1}" for k in range(1, DEPTH + 1)], (13, *[96] * (DEPTH - 1), 12))
SHAPES = (
    CONVOLUTIONS
    | {"SubP1": (0,), "concat2": (0,), f"SubP{2 * DEPTH + 2}": (0,)}
    | {f"relu{2 * k + 2}": (0,) for k in range(1, DEPTH)}
)


@dataclass(frozen=True)
class FFDNetColor(NoiseMapped):
    """x̂ = S⁻¹ chain(S y, σ): S rearranges each 2×2 block of a channel into four channels of half the size.

    12 convolutions of 96 channels at half the resolution; the map of σ is the last of 13 input channels. One network
    for σ 0 to 75; `NoiseMapped` says what it does beyond, and with gray images. An image with an odd side is continued
    by its last column or row, as in the authors' code.

    Source: K. Zhang, W. Zuo and L. Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image Denoising",
    IEEE TIP 27(9), 2018; weights `FFDNet_color.mat` of github.com/cszn/FFDNet.
    """

    name: ClassVar[str] = "ffdnet-color"
    summary: ClassVar[str] = "FFDNet, published weights for σ 0–75 (over it: image scaled to 75); gray as RGB with √3 σ"
    citation: ClassVar[str] = (
        "K. Zhang et al., FFDNet: toward a fast and flexible solution for CNN-based image denoising, IEEE TIP 2018"
    )
    file: ClassVar[str] = "cszn-FFDNet/models/FFDNet_color.mat"
    radius: ClassVar[int] = 2 * DEPTH
    multiple: ClassVar[int] = 2

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        chain = _chain(self.weights_here(), dtype, device)

        def network(x: Tensor) -> Tensor:
            sigma = x[:, 3:, ::2, ::2]
            return from_sub_images(chain(torch.cat([to_sub_images(x[:, :3]), sigma], dim=1)))

        return network


def to_sub_images(x: Tensor) -> Tensor:
    """Return S x (N,4C,H/2,W/2): channel 4c + 2j + i holds the pixels (i,j), (i,j+2), … of channel c.

    MATLAB counts down the columns: a block's second channel is the pixel below the first, where PyTorch's is the one
    beside it.
    """
    return pixel_unshuffle(x.mT, 2).mT


def from_sub_images(x: Tensor) -> Tensor:
    """Return S⁻¹ x (N,C/4,2H,2W)."""
    return pixel_shuffle(x.mT, 2).mT


@cache
def _chain(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    parameters = read_matconvnet(file)
    check_shapes(file, f"a colour FFDNet of {DEPTH} layers", parameters, SHAPES)
    return Chain.of(parameters, CONVOLUTIONS, dtype, device)
