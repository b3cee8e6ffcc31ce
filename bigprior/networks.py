"""Convolutional networks that are shared by priors and supervised methods."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """x + W₂ ⊛ relu(W₁ ⊛ x), 3×3, without biases. It starts close to the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.kaiming_uniform_(self.second.weight, a=5**0.5)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x), inplace=True)).add_(x)  # in place: a third less memory


class BiasFreeUNet(nn.Module):
    """A U-Net of residual blocks without any bias or normalisation: F(a·x) = a·F(x) for every a > 0.

    Args:
        inputs: channels in.
        outputs: channels out.
        channels: of the levels, from fine to coarse; each halves the resolution of the one before.
        blocks: residual blocks of the levels on the way down, and again on the way up.

    Source of the structure: S. Mohan, Z. Kadkhodaie, E. P. Simoncelli and C. Fernandez-Granda, "Robust and
    Interpretable Blind Image Denoising via Bias-Free Convolutional Neural Networks", ICLR 2020 (no biases); K. Zhang
    et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", IEEE TPAMI 2021 (residual blocks in a U-Net).
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.multiple = 2 ** (len(channels) - 1)
        """Height and width must be multiples of this."""
        coarsest = 2 * blocks[-1] * self.multiple
        self.radius = 2 + coarsest + sum((4 * n + 2) * 2**level for level, n in enumerate(blocks[:-1]))
        """No pixel of the result depends on one further away, along an axis, than this."""
        self.head = nn.Conv2d(inputs, channels[0], 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(_stage(c, n) for c, n in zip(channels, blocks, strict=True))
        self.decoder = nn.ModuleList(_stage(c, n) for c, n in zip(channels[:-1], blocks[:-1], strict=True))
        steps = list(pairwise(channels))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2, bias=False) for fine, coarse in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False) for fine, coarse in steps)
        self.tail = nn.Conv2d(channels[0], outputs, 3, padding=1, bias=False)
        with torch.no_grad():
            self.tail.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N,inputs,H,W) to (N,outputs,H,W)."""
        x = self.head(x)
        skips = []
        for stage, down in zip(self.encoder[:-1], self.down, strict=True):
            x = stage(x)
            skips.append(x)
            x = down(x)
        x = self.encoder[-1](x)
        for stage, up, skip in zip(reversed(self.decoder), reversed(self.up), reversed(skips), strict=True):
            x = stage(up(x) + skip)
        return self.tail(x)


def _stage(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))


class GatedBlock(nn.Module):
    """x + W₂ (elu(a) ⊙ sigmoid(b)) with (a, b) = W₁ ⊛ x + c, 3×3; W₂ is 1×1 and starts small.

    The gate is a soft mask that is learned: J. Yu et al., "Free-Form Image Inpainting with Gated Convolution",
    ICCV 2019. Deviation: residual.
    """

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.gated = nn.Conv2d(channels, 2 * channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            self.mix.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.gated(x).chunk(2, dim=1)
        return x + self.mix(F.elu(value) * torch.sigmoid(gate))


class GatedUNet(nn.Module):
    """A U-Net of gated blocks whose finest level has half the resolution of the image; dilated at the coarsest.

    Args:
        inputs: channels in, at full resolution; folded by pixel unshuffling before the first convolution.
        outputs: channels out, at half the resolution. An untrained network returns 0.
        channels: of the levels, from fine to coarse; each halves the resolution.
        dilations: of the blocks of the coarsest level.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: Sequence[int] = (32, 64, 120, 152),
        dilations: Sequence[int] = (1, 2, 4, 2),
    ) -> None:
        super().__init__()
        self.coarsest = channels[-1]
        """Channels of `middle`."""
        self.multiple = 2 ** len(channels)
        """Height and width must be multiples of this."""
        self.radius = 6 + sum(4 * 2**level for level in range(1, len(channels))) + sum(dilations) * self.multiple
        """No pixel of the result depends on one further away, along an axis, than this."""
        c = channels
        self.head = nn.Conv2d(4 * inputs, c[0], 3, padding=1)
        self.encoder = nn.ModuleList(_gated(n, (1,)) for n in c[:-1])
        self.middle = _gated(c[-1], dilations)
        self.decoder = nn.ModuleList(_gated(n, (1,)) for n in c[:-1])
        steps = list(pairwise(c))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in steps)
        self.tail = nn.Conv2d(c[0], outputs, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (N,inputs,H,W) to (N,outputs,H/2,W/2)."""
        x = self.head(F.pixel_unshuffle(x, 2))
        skips = []
        for stage, down in zip(self.encoder, self.down, strict=True):
            x = stage(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for k in reversed(range(len(self.up))):
            x = self.decoder[k](self.up[k](x) + skips[k])
        tail: Tensor = self.tail(x)
        return tail


def _gated(channels: int, dilations: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(GatedBlock(channels, dilation) for dilation in dilations))
