"""The filters of fields of experts: a chain of small convolutions, of norm 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, pad

GRID = 256
"""Frequencies per axis at which the norm is evaluated."""
FIRST = "conv_layer.conv_layers.0.parametrizations.weight.original"
"""Where a checkpoint has the first kernels; their means are to be subtracted."""
LATER = "conv_layer.conv_layers.{}.weight"


def filter_shapes(channels: Iterable[int], sides: Iterable[int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the kernels in a checkpoint: `channels` one more than `sides`, image first."""
    channels, sides = list(channels), list(sides)
    names = [FIRST, *(LATER.format(k) for k in range(1, len(sides)))]
    return {
        name: (outward, inward, side, side)
        for name, inward, outward, side in zip(names, channels[:-1], channels[1:], sides, strict=True)
    }


@dataclass(frozen=True, eq=False)
class Filters:
    """W: a gray image (N,1,H,W) to K maps of its size; zeros beyond the borders of the image and of the maps between.

    The kernels are divided by the norm of W. W of a constant is 0 but near the borders.
    """

    kernels: tuple[Tensor, ...]

    @staticmethod
    def of(found: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device, norm: float | None = None) -> Filters:
        """Return the filters of a checkpoint.

        Args:
            norm: ‖W‖²; if None, that on an image without borders, max_ω Σ_k |ŵ_k(ω)|². Zeros between the convolutions
                can make it larger.
        """
        kernels = [found[FIRST].double()]
        kernels[0] = kernels[0] - kernels[0].mean(dim=(1, 2, 3), keepdim=True)
        while (name := LATER.format(len(kernels))) in found:
            kernels.append(found[name].double())
        if norm is None:
            spectrum = torch.fft.fft2(Filters(tuple(kernels)).responses, s=(GRID, GRID))
            norm = float(spectrum.abs().square().sum(dim=0).max())
        kernels[0] = kernels[0] / norm**0.5
        return Filters(tuple(kernel.to(device, dtype) for kernel in kernels))

    def __call__(self, x: Tensor) -> Tensor:
        for w in self.kernels:
            x = conv2d(x, w, padding=w.shape[-1] // 2)
        return x

    def adjoint(self, h: Tensor) -> Tensor:
        """Return Wᵀ h (N,1,H,W)."""
        for w in reversed(self.kernels):
            h = conv_transpose2d(h, w, padding=w.shape[-1] // 2)
        return h

    @cached_property
    def responses(self) -> Tensor:
        """The kernels (K,1,S,S) of the filters as single convolutions, applied as correlations."""
        radius = sum(w.shape[-1] // 2 for w in self.kernels)
        impulse = self.kernels[0].new_ones(1, 1, 1, 1)
        return self(pad(impulse, (2 * radius,) * 4))[0, :, None, radius:-radius, radius:-radius].flip(2, 3)
