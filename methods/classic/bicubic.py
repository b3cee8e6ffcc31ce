"""Bicubic enlargement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.resize import BICUBIC_REDUCTION
from datasets.task import Problem
from methods.base import Method
from methods.classic._reduction import fused, singular


@dataclass(frozen=True)
class Bicubic(Method):
    """x̂ = s² Aᵀ y: MATLAB's `imresize(y, s, 'bicubic')`, for y reduced by `imresize(x, 1/s, 'bicubic')`.

    Enlarging without antialiasing and reducing with it use the same weights, transposed, up to the factor s of each
    axis, at the borders as well (both reflect). So with A = U diag(a) Vᵀ, in the coordinates Vᵀx,

        x̂ = s² a² ⊙ (Uᵀy/a):   φ = 1 − s² a² on the range of Aᵀ, 1 on the null space, and g = 0.

    s a is 1 for a constant and falls to 0.47 per axis at the finest that y holds: bicubic enlargement trusts the data
    about what is smooth and mixes in black for the rest, like a Wiener filter. It is never told the noise.

    Source: R. G. Keys, "Cubic Convolution Interpolation for Digital Image Processing", IEEE Transactions on Acoustics,
    Speech, and Signal Processing 29(6), 1981, with a = −1/2.
    """

    name: ClassVar[str] = "bicubic"
    summary: ClassVar[str] = "bicubic enlargement as MATLAB's imresize has it"
    citation: ClassVar[str] = (
        "R. G. Keys, Cubic Convolution Interpolation for Digital Image Processing, IEEE Trans. Acoustics, Speech, and "
        "Signal Processing, 1981"
    )
    problems: ClassVar[tuple[Problem, ...]] = (BICUBIC_REDUCTION,)
    decoupled: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    def restore(self, observation: Observation) -> Restoration:
        parts = singular(observation, self.name)
        y = observation.y
        shape = observation.operator.image_shape(y.shape)
        pixels = shape[-2] * shape[-1] / (y.shape[-2] * y.shape[-1])
        phi = (1 - pixels * parts.values.square()).clamp(min=0)
        return fused(observation, parts, torch.zeros(shape, dtype=y.dtype, device=y.device), phi)
