"""FFDNet for gray images, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.checkpoints import check_shapes
from bigprior.tiles import Network
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._gray_mapped import GrayNoiseMapped
from methods.supervised._matconvnet_gray import read_gray_matconvnet
from methods.supervised.ffdnet_color import from_sub_images, to_sub_images

DEPTH = 15
CONVOLUTIONS = chain_shapes([f"conv{2 * k + 1}" for k in range(1, DEPTH + 1)], (5, *[64] * (DEPTH - 1), 4))
SHAPES = (
    CONVOLUTIONS
    | {"SubP1": (0,), "concat2": (0,), f"SubP{2 * DEPTH + 2}": (0,)}
    | {f"relu{2 * k + 2}": (0,) for k in range(1, DEPTH)}
)


@dataclass(frozen=True)
class FFDNetGray(GrayNoiseMapped):
    """x̂ = S⁻¹ chain(S y, σ): S rearranges each 2×2 block into four channels of half the size, column by column.

    15 convolutions of 64 channels at half the resolution; the map of σ is the last of 5 input channels. One network
    for σ 0 to 75; `GrayNoiseMapped` says what it does beyond, and with colour images. An image with an odd side is
    continued by its last column or row, as in the authors' code.

    Source: K. Zhang, W. Zuo and L. Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image Denoising",
    IEEE TIP 27(9), 2018; weights `FFDNet_gray.mat` of github.com/cszn/FFDNet.
    """

    name: ClassVar[str] = "ffdnet-gray"
    summary: ClassVar[str] = "FFDNet, published weights for σ 0–75 (over it: image scaled to 75); colour by channel"
    citation: ClassVar[str] = (
        "K. Zhang et al., FFDNet: toward a fast and flexible solution for CNN-based image denoising, IEEE TIP 2018"
    )
    file: ClassVar[str] = "cszn-FFDNet/models/FFDNet_gray.mat"
    radius: ClassVar[int] = 2 * DEPTH
    multiple: ClassVar[int] = 2

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        chain = _chain(self.weights_here(), dtype, device)

        def network(x: Tensor) -> Tensor:
            return from_sub_images(chain(torch.cat([to_sub_images(x[:, :1]), x[:, 1:, ::2, ::2]], dim=1)))

        return network


@cache
def _chain(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    parameters = read_gray_matconvnet(file)
    check_shapes(file, f"a gray FFDNet of {DEPTH} layers", parameters, SHAPES)
    return Chain.of(parameters, CONVOLUTIONS, dtype, device)
