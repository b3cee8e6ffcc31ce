"""The generator of PGGAN with its published weights.

T. Karras, T. Aila, S. Laine, J. Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", ICLR 2018. The layout of the state dict is that of the generators that came with multi-code inversion
(github.com/genforce/mganprior, the project of the PyTorch conversion) and that BIGPrior used.

The weights are not part of this suite. Whoever has them puts them, under the names they were released with, into the
folder that `RESTORATION_PGGAN` names, or into `pggan/` of the cache folder:

    pggan_bedroom256_generator.pth, pggan_churchoutdoor256_generator.pth, pggan_conferenceroom256_generator.pth,
    pggan_celebahq1024_generator.pth
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bigprior.checkpoints import check_shapes, read_state_dict
from datasets.errors import SuiteError
from datasets.fetch import cache_folder
from datasets.files import expanded

FOLDER = "RESTORATION_PGGAN"
"""Environment variable: the folder of the checkpoints."""

SOURCE = (
    "the folder `pretrain` that BIGPrior's authors share "
    "(https://drive.google.com/drive/folders/1nWk76mPtPxWrd9-tPJA3H7zyQmHLYznQ), "
    "or converted from the originals with https://github.com/genforce/mganprior"
)

EPSILON = 1e-8
SLOPE = 0.2


@dataclass(frozen=True)
class Layout:
    """The shapes of the official generator.

    Attributes:
        resolution: side of the images, a power of two from 8 to 1024.
        code: dimension of z.
        base, most: a layer at side r has min(base/r, most) channels.
    """

    resolution: int = 256
    code: int = 512
    base: int = 16 << 10
    most: int = 512

    def __post_init__(self) -> None:
        if self.resolution not in (8, 16, 32, 64, 128, 256, 512, 1024):
            raise ValueError(f"resolution {self.resolution}: PGGAN has 8, 16, 32, ..., 1024")

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides of the blocks of two layers: 4, 8, ..., the resolution."""
        return tuple(4 << block for block in range(self.resolution.bit_length() - 2))

    def channels(self, side: int) -> int:
        """The number of channels at a side."""
        return min(self.base // side, self.most)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The keys of the state dict with their shapes, in order."""
        found: dict[str, tuple[int, ...]] = {"lod": ()}
        before = self.code
        for block, side in enumerate(self.sides):
            c = self.channels(side)
            kernels = ((4, 4) if block == 0 else (3, 3)), (3, 3)
            for layer, inputs, kernel in zip((2 * block, 2 * block + 1), (before, c), kernels, strict=True):
                found[f"layer{layer}.conv.weight"] = (c, inputs, *kernel)
                found[f"layer{layer}.wscale.bias"] = (c,)
            found[f"output{block}.conv.weight"] = (3, c, 1, 1)
            found[f"output{block}.wscale.bias"] = (3,)
            before = c
        return found

    def check(self, state: Mapping[str, Tensor], name: str) -> None:
        """Compare a state dict with the layout.

        Raises:
            SuiteError: names the first missing and the first unexpected key, or the first tensor of a wrong shape.
        """
        what = f"a PGGAN generator of {self.resolution}×{self.resolution} in its layout"
        check_shapes(name, what, state, self.shapes())


class PGGAN:
    """The generator G(z), frozen.

    Layer ℓ of 2B layers (B blocks at the sides 4, 8, ...) maps x to LeakyReLU(s·(W ∗ up(x/‖x‖)) + b), where
    x/‖x‖ = x / √(mean_c x² + 1e-8) per pixel, s = √(2/fan-in), up doubles the side by repetition before the first layer
    of each block but the first, whose 4×4 kernel makes 4×4 pixels of z. The image is W_out ∗ (x/‖x‖) + b_out with
    s = 1/√fan-in, from −1..1 mapped to 0..1.

    The scales are multiplied into the weights, repetition and convolution are one transposed convolution with the
    4×4 kernel that sums the shifted 3×3 one (four ninths of the multiplications), and the memory layout is
    channels_last. Nothing requires a gradient, so that a backward pass costs what the latents need and no more.

    Args:
        state: a state dict of the layout; a level of detail `lod` of k drops the last k blocks and repeats pixels.
        layout: its shapes.
        device, dtype: where and in which precision to compute. With bfloat16 the codes and the image stay float32.
    """

    def __init__(
        self,
        state: Mapping[str, Tensor],
        layout: Layout,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        layout.check(state, "the state dict")
        self.layout, self.device, self.dtype = layout, torch.device(device), dtype
        blocks = len(layout.sides)
        self.blocks = min(blocks, max(1, math.floor(blocks - float(state["lod"]))))
        """Blocks in use."""
        self._weights, self._biases = [], []
        for layer in range(2 * self.blocks):
            weight = state[f"layer{layer}.conv.weight"].double()
            weight = weight * math.sqrt(2 / weight[0].numel())
            if layer == 0:
                weight = weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)  # a matrix: z to 4×4 pixels
            elif layer % 2 == 0:
                weight = _repeat_then_convolve(weight)
            self._weights.append(self._frozen(weight))
            self._biases.append(self._frozen(state[f"layer{layer}.wscale.bias"]))
        last = self.blocks - 1
        weight = state[f"output{last}.conv.weight"].double()
        self._output = (
            self._frozen(weight / math.sqrt(weight[0].numel())),
            self._frozen(state[f"output{last}.wscale.bias"]),
        )

    def _frozen(self, tensor: Tensor) -> Tensor:
        kind = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
        return tensor.detach().to(self.device, self.dtype).contiguous(memory_format=kind)

    @property
    def layers(self) -> int:
        """The number of layers in use, 2B."""
        return 2 * self.blocks

    def shape(self, layer: int) -> tuple[int, int, int]:
        """The shape (C,h,w) of what the first `layer` layers make of a code."""
        side = self.layout.sides[(layer - 1) // 2]
        return self.layout.channels(side), side, side

    def layer(self, index: int, x: Tensor) -> Tensor:
        """Apply one layer to (N,C,h,w); layer 0 takes codes (N,Z)."""
        weight, bias = self._weights[index], self._biases[index]
        x = _pixel_norm(x.to(self.dtype))
        if index == 0:
            x = (F.linear(x, weight).view(len(x), -1, 4, 4) + bias.view(-1, 1, 1)).contiguous(
                memory_format=torch.channels_last
            )
        elif index % 2 == 0:
            x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1)
        else:
            x = F.conv2d(x, weight, bias, padding=1)
        return F.leaky_relu_(x, SLOPE)

    def features(self, codes: Tensor, layer: int) -> Tensor:
        """Return what the first `layer` layers make of codes (N,Z): (N,C,h,w)."""
        x = codes
        for index in range(layer):
            x = self.layer(index, x)
        return x

    def image(self, features: Tensor, layer: int) -> Tensor:
        """Return the images (N,3,H,W) that the layers from `layer` on make of features; 0..1, not clipped."""
        x = features
        for index in range(layer, self.layers):
            x = self.layer(index, x)
        x = F.conv2d(_pixel_norm(x.to(self.dtype)), *self._output)
        image = (x.to(features.dtype) + 1) / 2
        repeat = self.layout.resolution // image.shape[-1]
        return image if repeat == 1 else F.interpolate(image, scale_factor=float(repeat), mode="nearest")

    def __call__(self, codes: Tensor) -> Tensor:
        """Return G(z) (N,3,H,W), 0..1 and not clipped, of codes (N,Z)."""
        return self.image(self.features(codes, self.layers).to(codes.dtype), self.layers)


class _PixelNorm(torch.autograd.Function):
    """y = x r with r = (mean_c x² + ε)^(−1/2). Written out because it is a fifth of an iteration otherwise."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        mean = torch.linalg.vector_norm(x, dim=1, keepdim=True).square_().div_(x.shape[1])
        inverse = mean.add_(EPSILON).rsqrt_()
        y = x * inverse
        context.save_for_backward(y, inverse)
        return y

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        y, inverse = context.saved_tensors
        along = (gradient * y).mean(dim=1, keepdim=True)
        return torch.addcmul(gradient, y, along, value=-1).mul_(inverse)


def _pixel_norm(x: Tensor) -> Tensor:
    return _PixelNorm.apply(x)


def _repeat_then_convolve(weight: Tensor) -> Tensor:
    """The kernel (I,O,4,4) of the transposed convolution of stride 2 that equals repetition and a 3×3 convolution."""
    padded = F.pad(weight.flip(2, 3), (1, 1, 1, 1))
    summed = padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]
    return summed.transpose(0, 1)


def checkpoint(name: str) -> Path:
    """Return where the checkpoint `name`, such as bedroom256, is looked for."""
    folder = os.environ.get(FOLDER)
    root = expanded(folder) if folder else cache_folder() / "pggan"
    return root / f"pggan_{name}_generator.pth"


def missing(name: str) -> str | None:
    """Return None if the checkpoint is on this machine, or where to get it and where to put it."""
    path = checkpoint(name)
    if path.is_file():
        return None
    return (
        f"its weights are not on this machine ({path.name}): get the generators from {SOURCE}, "
        f"and set {FOLDER} to their folder, or put them into the folder `pggan` of the cache"
    )


def load(
    name: str, layout: Layout | None = None, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> PGGAN:
    """Load the checkpoint `name`, such as bedroom256.

    Raises:
        SuiteError: the file is missing (says where to get it), is no state dict, or has another layout.
    """
    layout = layout or Layout()
    path, absent = checkpoint(name), missing(name)
    if absent is not None:
        raise SuiteError(f"PGGAN {name}: {absent}.")
    state = read_state_dict(path)
    layout.check(state, str(path))
    return PGGAN(state, layout, device, dtype)
