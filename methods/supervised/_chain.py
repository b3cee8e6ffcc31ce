"""The plainest network: one 3×3 convolution after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d, relu_


def chain_shapes(names: Iterable[str], channels: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return name → shape of the parameters of a chain, in its order.

    Args:
        names: of the convolutions; their parameters are `<name>.weight` and `<name>.bias`.
        channels: of the input and after each convolution, one more than there are names.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name, inward, outward in zip(names, channels[:-1], channels[1:], strict=True):
        shapes[f"{name}.weight"] = (outward, inward, 3, 3)
        shapes[f"{name}.bias"] = (outward,)
    return shapes


@dataclass(frozen=True, eq=False)
class Chain:
    """h ↦ max(0, w_k ⋆ h + b_k), k = 1 … K−1, and w_K ⋆ h + b_K without the maximum; zeros beyond the borders.

    Its receptive field has the radius K. The last convolution is in the precision of the weights even where autocast
    asks for less: what it gives is the image itself, or the noise in it.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    """Kernels (out,in,3,3) and biases (out,)."""

    @staticmethod
    def of(parameters: Mapping[str, Tensor], shapes: Iterable[str], dtype: torch.dtype, device: torch.device) -> Chain:
        """Return the chain of the parameters that `chain_shapes` lists, in its order."""
        # The channels last: the convolutions of the CPU need not reorder between the layers, and take a sixth less.
        moved = [
            parameters[name].to(device, dtype, memory_format=torch.channels_last)
            if name.endswith("weight")
            else parameters[name].to(device, dtype)
            for name in shapes
        ]
        return Chain(tuple(zip(moved[::2], moved[1::2], strict=True)))

    def __call__(self, x: Tensor) -> Tensor:
        h = x.contiguous(memory_format=torch.channels_last)
        *inner, (weight, bias) = self.layers
        for w, b in inner:
            h = relu_(conv2d(h, w, b, padding=1))
        with torch.autocast(x.device.type, enabled=False):
            return conv2d(h.to(weight.dtype), weight, bias, padding=1)
