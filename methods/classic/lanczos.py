"""Lanczos enlargement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from datasets.blur import DECIMATION
from datasets.observation import Observation
from datasets.resize import BICUBIC_REDUCTION
from datasets.task import Problem
from methods.base import Method
from methods.classic._reduction import enlarged


@dataclass(frozen=True)
class Lanczos(Method):
    """x̂_i = Σ_j h(u_i − j) y_j along each axis, h(t) = sinc(t) sinc(t/3) for |t| < 3, weights made to sum to 1.

    u_i is the place of pixel i of x on the grid of y: (i + ½)/s − ½ after a bicubic reduction, where this is MATLAB's
    `imresize(y, s, 'lanczos3')`, and i/s after blur and decimation, where the image is periodic. What the operator
    did beyond the change of grid is not undone, and A x̂ ≠ y: no fusion is claimed.

    Source: C. E. Duchon, "Lanczos Filtering in One and Two Dimensions", Journal of Applied Meteorology 18(8), 1979.
    """

    name: ClassVar[str] = "lanczos"
    summary: ClassVar[str] = "enlargement by a windowed sinc of three lobes"
    citation: ClassVar[str] = (
        "C. E. Duchon, Lanczos Filtering in One and Two Dimensions, Journal of Applied Meteorology, 1979"
    )
    problems: ClassVar[tuple[Problem, ...]] = (BICUBIC_REDUCTION, DECIMATION)
    decoupled: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    def restore(self, observation: Observation) -> Restoration:
        return Restoration(enlarged(observation, "lanczos", self.name))
