"""The network of the scene prior, and the preconditioning that makes a denoiser of it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = ("any", "bedroom", "church", "conference", "houses", "photos")
"""What a scene may be said to be. The first says nothing."""
CHANNELS = (64, 128, 192, 256)
BLOCKS = (2, 2, 2, 1)
ATTENTION = (False, False, True, True)
"""Of the levels, from fine to coarse: channels, blocks on each way, and whether they attend."""
EMBEDDING = 256
FREQUENCIES = 32
CHANGES = 4
"""Numbers that say how a training crop was changed: its size, brightness, contrast, saturation. All 0: it was not."""
SIGMA_DATA = 0.5
"""Standard deviation of the images on the [-1,1] scale, for the preconditioning."""

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class ScaledNorm(nn.Module):
    """silu(p · groupnorm(x) + q), with p and q per channel, changed by an embedding where one is given.

    With an embedding (s, t): p = γ (1 + s), q = β (1 + s) + t. Statistics are sums in single precision at least.
    """

    EPSILON = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        groups = min(32, max(1, channels // 4))
        self.groups = next(g for g in range(groups, 0, -1) if channels % g == 0)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Map (N,C,H,W) to (N,C,H,W); the embedding is (N,2C)."""
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        # Sums over pixels first: four times as fast as a variance over strided groups of channels.
        mean, square = (self._over_group(each.mean(dim=(2, 3))) for each in (exact, exact.square()))
        p, q = self.weight[None], self.bias[None]
        if embedding is not None:
            scale, shift = embedding.to(exact.dtype).chunk(2, dim=1)
            p, q = p * (1 + scale), q * (1 + scale) + shift
        gain = p * ((square - mean.square()).clamp_min(0) + self.EPSILON).rsqrt()
        offset = q - mean * gain
        scaled = torch.addcmul(offset.to(x.dtype)[..., None, None], x, gain.to(x.dtype)[..., None, None])
        return F.silu(scaled, inplace=True)

    def _over_group(self, values: Tensor) -> Tensor:
        """Means over groups of channels, for every channel of the group."""
        grouped = values.unflatten(1, (self.groups, -1))
        return grouped.mean(dim=2, keepdim=True).expand_as(grouped).flatten(1)


class Attention(nn.Module):
    """x + self-attention over pixels, queries and keys of unit mean square, heads of 64 channels."""

    EPSILON = 1e-5

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // next(c for c in (64, 32, 16, 8, 4, 2, 1) if channels % c == 0)
        self.norm = ScaledNorm(channels)
        self.project = _linear(channels, 3 * channels, bias=False)
        self.merge = _linear(channels, channels, bias=False, zero=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N,C,H,W) to (N,C,H,W)."""
        height, width = x.shape[-2:]
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        parts = self.project(tokens).unflatten(2, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(self._unit(queries), self._unit(keys), values.contiguous())
        merged = self.merge(mixed.transpose(1, 2).flatten(2))
        return x + merged.transpose(1, 2).unflatten(2, (height, width))

    def _unit(self, vectors: Tensor) -> Tensor:
        exact = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
        return (exact * (exact.square().mean(dim=-1, keepdim=True) + self.EPSILON).rsqrt()).to(vectors.dtype)


class Block(nn.Module):
    """A residual block that an embedding steers: two convolutions, then attention where the level has it.

    Dropout acts in training alone.
    """

    def __init__(self, channels: int, embedding: int, dropout: float, attends: bool) -> None:
        super().__init__()
        self.first_norm, self.first = ScaledNorm(channels), _convolution(channels, channels)
        self.steer = _linear(embedding, 2 * channels, zero=True)
        self.second_norm, self.second = ScaledNorm(channels), _convolution(channels, channels, zero=True)
        self.dropout = nn.Dropout(dropout)
        self.attention = Attention(channels) if attends else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map (N,C,H,W) to (N,C,H,W); the embedding is (N,E)."""
        h = self.second_norm(self.first(self.first_norm(x)), self.steer(embedding))
        result: Tensor = self.attention(x + self.second(self.dropout(h)))
        return result


class Steering(nn.Module):
    """Noise level, class and changes of a crop as one vector (N,E)."""

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.first, self.second = _linear(2 * FREQUENCIES, size), _linear(size, size)
        self.classes = nn.Parameter(torch.randn(classes, size) * 0.5)
        self.changes = _linear(CHANGES, size, bias=False)

    def forward(self, level: Tensor, label: Tensor, changes: Tensor) -> Tensor:
        """Map levels (N,), labels (N,) int64 and changes (N,CHANGES) to (N,E)."""
        ends = math.log(0.5), math.log(64)
        frequencies = torch.linspace(*ends, FREQUENCIES, device=level.device, dtype=level.dtype).exp()
        angle = level[:, None] * frequencies * (math.pi / 2)
        waves = torch.cat([angle.cos(), angle.sin()], dim=1)
        hidden = self.first(waves) + self.classes[label] + self.changes(changes)
        return F.silu(self.second(F.silu(hidden)))


class SceneUNet(nn.Module):
    """A U-Net of residual blocks with attention at its coarse levels, told the noise level and the class.

    Every block on the way down hands its result to one on the way up, through a 1×1 convolution.

    Args:
        channels, blocks, attention: of the levels, from fine to coarse; each halves the resolution.
        embedding: size of the vector that steers the blocks.
        dropout: in the blocks, in training.
        classes: number of labels.

    Source of the structure: P. Dhariwal and A. Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021
    (norms that an embedding scales and shifts, attention at coarse levels); A. Henry et al., "Query-Key Normalization
    for Transformers", Findings of EMNLP 2020. Deviation: skips are added, not concatenated.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = CHANNELS,
        blocks: tuple[int, ...] = BLOCKS,
        attention: tuple[bool, ...] = ATTENTION,
        embedding: int = EMBEDDING,
        dropout: float = 0.12,
        classes: int = len(CLASSES),
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(channels) - 1)
        """Height and width must be multiples of this."""

        def level(k: int) -> nn.ModuleList:
            return nn.ModuleList(Block(channels[k], embedding, dropout, attention[k]) for _ in range(blocks[k]))

        levels = range(len(channels))
        steps = list(pairwise(channels))
        self.steering = Steering(embedding, classes)
        self.head = _convolution(3, channels[0], bias=True)
        self.encoder = nn.ModuleList(level(k) for k in levels)
        self.reduce = nn.ModuleList(_convolution(fine, coarse, stride=2) for fine, coarse in steps)
        self.middle = Block(channels[-1], embedding, dropout, attention[-1])
        self.skips = nn.ModuleList(
            nn.ModuleList(_convolution(c, c, side=1) for _ in range(n)) for c, n in zip(channels, blocks, strict=True)
        )
        self.decoder = nn.ModuleList(level(k) for k in levels)
        self.enlarge = nn.ModuleList(_convolution(coarse, fine, side=1) for fine, coarse in steps)
        self.norm = ScaledNorm(channels[0])
        self.tail = _convolution(channels[0], 3, zero=True, bias=True)

    def forward(self, x: Tensor, level: Tensor, label: Tensor, changes: Tensor) -> Tensor:
        """Map images (N,3,H,W), levels (N,), labels (N,) and changes (N,CHANGES) to (N,3,H,W)."""
        steering = self.steering(level, label, changes)
        x = self.head(x.contiguous(memory_format=torch.channels_last))
        kept: list[Tensor] = []
        for k, blocks in enumerate(self.encoder):
            if k:
                x = self.reduce[k - 1](x)
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, steering)
                kept.append(x)
        x = self.middle(x, steering)
        for k in reversed(range(len(self.decoder))):
            for skip, block in zip(self.skips[k], self.decoder[k], strict=True):  # type: ignore[call-overload]
                x = block(x + skip(kept.pop()), steering)
            if k:
                x = F.interpolate(self.enlarge[k - 1](x), scale_factor=2, mode="nearest")
        result: Tensor = self.tail(self.norm(x))
        return result


def precondition(network: SceneUNet, x: Tensor, sigma: Tensor, label: Tensor, changes: Tensor) -> Tensor:
    """Return the denoised images D(x; σ) (N,3,H,W), an estimate of E[x₀ | x₀ + σn = x] on the [-1,1] scale.

    With s = σ_data:  D = s²/(σ² + s²) x + σ s/√(σ² + s²) F(x/√(σ² + s²), ln σ / 4), so that input and target of the
    network F have unit variance at any σ.

    Args:
        sigma: (N,), over 0.
        label: (N,) int64, numbers in CLASSES.
        changes: (N,CHANGES).

    Source: T. Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", NeurIPS 2022, tab. 1.
    """
    raw = network(x * input_scale(sigma), sigma.log() / 4, label, changes)
    skip, out = output_scales(sigma)
    return skip * x + out * raw.to(x.dtype)


def input_scale(sigma: Tensor) -> Tensor:
    """Return 1/√(σ² + σ_data²) as (N,1,1,1)."""
    return (sigma.square() + SIGMA_DATA**2).rsqrt()[:, None, None, None]


def output_scales(sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights of x and of the network's output in D, each (N,1,1,1)."""
    scale = input_scale(sigma)
    return (SIGMA_DATA * scale).square(), sigma[:, None, None, None] * SIGMA_DATA * scale


def _convolution(
    inputs: int, outputs: int, side: int = 3, stride: int = 1, zero: bool = False, bias: bool = False
) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, bias=bias)
    return _begun(layer, inputs * side**2, zero)


def _linear(inputs: int, outputs: int, bias: bool = True, zero: bool = False) -> nn.Linear:
    return _begun(nn.Linear(inputs, outputs, bias=bias), inputs, zero)


def _begun(layer: Layer, inputs: int, zero: bool) -> Layer:
    """Weights of variance 1/inputs, or 0; biases 0."""
    nn.init.zeros_(layer.weight) if zero else nn.init.normal_(layer.weight, std=inputs**-0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
