"""ADNet: sparse dilation, and an attention that is a product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import conv2d, relu_

from bigprior.checkpoints import check_shapes, read_state_dict
from bigprior.tiles import Network

INNER = 15
"""Convolutions with batch normalisation; another follows without."""
DILATED = (2, 5, 9, 12)
"""Numbers of the convolutions whose taps are two pixels apart."""
RADIUS = INNER + 1 + len(DILATED)
EPSILON = 1e-5
"""Added to the variance of a batch normalisation, PyTorch's default."""
NORMALISED = {"weight": (64,), "bias": (64,), "running_mean": (64,), "running_var": (64,), "num_batches_tracked": ()}


def layout(channels: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the file of a network."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(1, INNER + 1):
        shapes[f"module.conv1_{k}.0.weight"] = (64, channels if k == 1 else 64, 3, 3)
        shapes |= {f"module.conv1_{k}.1.{name}": shape for name, shape in NORMALISED.items()}
    return shapes | {
        f"module.conv1_{INNER + 1}.weight": (channels, 64, 3, 3),
        "module.conv3.weight": (channels, 2 * channels, 1, 1),
        "module.conv3.bias": (channels,),
    }


@dataclass(frozen=True, eq=False)
class ADNet:
    """y ↦ y − n ⊙ (W tanh([y, n]) + b), n = chain(y): the noise that a chain predicts, weighted by an attention.

    The chain is 15 times convolution, batch normalisation and rectifier, and a last convolution; convolutions 2, 5, 9
    and 12 are dilated by 2. Zeros beyond the borders. Like the chain's last convolution, the attention is computed in
    the precision of the weights even where autocast asks for less.
    """

    inner: tuple[tuple[Tensor, Tensor], ...]
    """Kernels and biases, with the batch normalisation folded into them."""
    last: Tensor
    attention: tuple[Tensor, Tensor]

    def __call__(self, y: Tensor) -> Tensor:
        h = y.contiguous(memory_format=torch.channels_last)
        for number, (w, b) in enumerate(self.inner, start=1):
            reach = 2 if number in DILATED else 1
            h = relu_(conv2d(h, w, b, padding=reach, dilation=reach))
        with torch.autocast(y.device.type, enabled=False):
            n = conv2d(h.to(self.last.dtype), self.last, padding=1)
            return y - n * conv2d(torch.cat([y, n], dim=1).tanh(), *self.attention)


def adnet(file: Path, channels: int, dtype: torch.dtype, device: torch.device) -> Network:
    """Return the network of a file.

    Raises:
        SuiteError: the file holds another network.
    """
    return _network(file, channels, dtype, device)


@cache
def _network(file: Path, channels: int, dtype: torch.dtype, device: torch.device) -> ADNet:
    found = read_state_dict(file)
    check_shapes(file, f"an ADNet for {channels}-channel images", found, layout(channels))
    return built(found, dtype, device)


def built(found: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device) -> ADNet:
    """Return the network of the parameters that `layout` lists."""

    def moved(x: Tensor) -> Tensor:
        return x.to(device, dtype)

    inner = []
    for k in range(1, INNER + 1):
        weight, gain, bias, mean, variance = (
            found[f"module.conv1_{k}.{name}"].double()
            for name in ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var")
        )
        gain = gain / (variance + EPSILON).sqrt()
        folded = moved(weight * gain[:, None, None, None]).contiguous(memory_format=torch.channels_last)
        inner.append((folded, moved(bias - gain * mean)))
    return ADNet(
        tuple(inner),
        moved(found[f"module.conv1_{INNER + 1}.weight"]),
        (moved(found["module.conv3.weight"]), moved(found["module.conv3.bias"])),
    )
