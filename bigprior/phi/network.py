"""Our φ-network: bounded, small, for images of any size."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from bigprior.checkpoints import filled, read_described
from bigprior.tiles import WIDE, tiled
from bigprior.weight_files import Refusal, reading
from datasets.errors import SuiteError
from datasets.spec import Within

LOGIT_LIMIT = 6.0
"""Bound of the logits: 0.0025 < φ < 0.9975. A network that reaches for 0 or 1 keeps its gradient."""
SIGMA_SCALE = 4.0
"""σ enters as a map of this multiple, which brings 0..0.2 to 0..0.8."""
INPUTS = 3 + 3 + 1 + 1
WEIGHTS = Path(__file__).parent.parent / "weights"
"""Folder of the shipped networks: NAME.safetensors, and NAME.md and NAME.json, its card."""
LEVELS, CHANNELS, SCALES = Within(1, 6), Within(1, 1024), Within(1, 64)
"""Ranges of a configuration: how many widths, each of them, and the scale."""


@dataclass(frozen=True)
class PhiConfig:
    """What a φ-network is, apart from its weights.

    Args:
        task: name of the task it is trained for.
        widths: channels at 1/2, 1/4, 1/8, ... of the resolution.
        scale: φ is decided on means over scale×scale pixels and interpolated bilinearly; 1: on the pixels themselves.
        hole_only: φ is 0 at every observed pixel (noise-free inpainting, where the data is the truth).

    Raises:
        SuiteError: the widths or the scale are not in their ranges (LEVELS, CHANNELS, SCALES).
    """

    task: str
    widths: tuple[int, ...] = (32, 48, 64, 88)
    scale: int = 1
    hole_only: bool = False

    def __post_init__(self) -> None:
        if not LEVELS.holds(len(self.widths)) or not all(CHANNELS.holds(width) for width in self.widths):
            raise SuiteError(f"the widths of a φ-network are {LEVELS} numbers, each {CHANNELS}.")
        if not SCALES.holds(self.scale):
            raise SuiteError(f"the scale of a φ-network is {SCALES}.")


class PhiNetwork(nn.Module):
    """φ = s(h), s(t) = 1/(1 + exp(−t)), |h| < 6, one value per pixel: the share of the prior in that pixel.

    A U-Net of residual blocks on (f − ½, g − ½, mask, 4σ), which begins with 2×2 pixels folded into channels and ends
    with them unfolded; on means of pixels if `scale` is not 1, for what can be told of regions only. There is no
    normalisation over batch or image, so an image's φ does not depend on others.
    The head begins at zero: an untrained network says φ = ½ everywhere.

    One channel and not three, as the paper has: a share of a pixel can be read, and for f and g of one luma it keeps
    that luma.
    """

    def __init__(self, config: PhiConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.multiple = config.scale * 2 ** len(widths)
        """The sides of an image are continued to multiples of this."""
        cells = [config.scale * 2 ** (level + 1) for level in range(len(widths))]
        self.radius = 2 * cells[0] + 2 * sum(cells) + 2 * sum(cells[:-1]) + cells[-1] + config.scale
        """No pixel of φ depends on one further away, along an axis, than this."""
        self.enter = nn.Conv2d(4 * INPUTS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_Block(width) for width in widths)
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.widen = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_Block(width) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, fidelity: Tensor, prior: Tensor, mask: Tensor, sigma: Tensor) -> Tensor:
        """Return φ (N,1,H,W) in [0,1], in the dtype of f.

        Args:
            fidelity: f (N,1|3,H,W), the observation lifted to image space.
            prior: g, of the same shape.
            mask: (N,1,H,W), 1 where a pixel was observed.
            sigma: (N,) on the [0,1] scale; in blind denoising, an estimate.
        """
        level = (SIGMA_SCALE * sigma).view(-1, 1, 1, 1).expand_as(mask)
        given = (fidelity, prior, mask, level)
        return tiled(self._phi, *given, tile=WIDE, overlap=self.radius, multiple=self.multiple)

    def _phi(self, fidelity: Tensor, prior: Tensor, mask: Tensor, level: Tensor) -> Tensor:
        """φ of an image, or of a tile of it, whose sides are multiples of `multiple`."""
        shape = len(mask), 3, *mask.shape[2:]
        x = torch.cat([fidelity.expand(shape) - 0.5, prior.expand(shape) - 0.5, mask, level], dim=1)
        scale = self.config.scale
        x = F.avg_pool2d(x.to(self.head.weight.dtype), scale)
        x = self.enter(F.pixel_unshuffle(x, 2))
        skips = []
        for block, narrow in zip(self.down, self.narrow, strict=False):
            x = block(x)
            skips.append(x)
            x = narrow(x)
        x = self.down[-1](x)
        for block, widen, skip in zip(reversed(self.up), reversed(self.widen), reversed(skips), strict=True):
            x = block(skip + F.interpolate(widen(x), scale_factor=2.0, mode="nearest"))
        logit = F.pixel_shuffle(self.head(x), 2)
        if scale > 1:
            logit = F.interpolate(logit, scale_factor=float(scale), mode="bilinear", align_corners=False)
        phi = torch.sigmoid(LOGIT_LIMIT * torch.tanh(logit / LOGIT_LIMIT)).to(fidelity.dtype)
        return phi * (1 - mask) if self.config.hole_only else phi


class _Block(nn.Module):
    """x + c(a(c(a(x)))): two 3×3 convolutions before which the activation stands; the second begins at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


def to_bytes(network: PhiNetwork) -> bytes:
    """Return the network as a safetensors file in half precision, its configuration in the metadata."""
    state = {key: value.detach().cpu().half().contiguous() for key, value in network.state_dict().items()}
    return save(state, metadata={"config": json.dumps(asdict(network.config))})


def shipped(name: str) -> Path:
    """Return where the shipped φ-network `name` is. It need not be there: `load_phi` says so."""
    return WEIGHTS / f"{name}.safetensors"


def load_phi(path: str | Path) -> PhiNetwork:
    """Return a network that `to_bytes` wrote, in single precision, in evaluation mode and frozen, on the CPU.

    Raises:
        SuiteError: there is no such file, it is not a φ-network, or its layout is another one (the first missing and
            the first unexpected key are named).
    """
    state, metadata = read_described(path, "train it with `python -m bigprior.train phi`")
    with reading(path, "φ-network of this suite"):
        config = _config(metadata["config"])
    return filled(lambda: PhiNetwork(config), path, "a φ-network of its own configuration", state)


def _config(text: str) -> PhiConfig:
    """Return what `to_bytes` wrote, if it is that: otherwise any error."""
    found = json.loads(text)
    try:
        config = PhiConfig(**found | {"widths": tuple(found["widths"])})
    except SuiteError as error:
        raise Refusal(str(error).rstrip(".")) from error
    whole = all(type(number) is int for number in (*config.widths, config.scale))
    if not (whole and isinstance(config.task, str) and isinstance(config.hole_only, bool)):
        raise TypeError
    return config
