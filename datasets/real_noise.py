"""The noise of photographs as a camera makes them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor

from datasets.noise import Noise


class UnknownNoise(Noise):
    """The law is not known to anybody: no σ can be told, and nothing can be drawn from it.

    Raises:
        ValueError: a sample or a variance is asked for.
    """

    title: ClassVar[str] = "noise of an unknown law"

    def sample(self, z: Tensor, random: np.random.RandomState) -> Tensor:
        raise ValueError("noise of an unknown law cannot be drawn: it is in the photographs of a pair")

    def variance(self, z: Tensor) -> Tensor:
        raise ValueError("the variance of noise of an unknown law is not known: estimate it from the photograph")
