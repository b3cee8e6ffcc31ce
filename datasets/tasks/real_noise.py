"""The noise of a real photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from datasets.observation import Observation, Truth
from datasets.operators import Identity
from datasets.pairs import pair_of
from datasets.real_noise import UnknownNoise
from datasets.task import DENOISING, Key, Problem, Task


@dataclass(frozen=True)
class RealNoise(Task):
    """y is the noisy photograph of a pair and x the mean photograph: nothing is drawn, and no seed matters.

    The methods are those of white Gaussian noise. The law of the noise is hidden from them and known to nobody: what
    reads σ estimates it from y. An image of no set, which is what a method warms up on, is its own photograph.

    Raises:
        SuiteError: the set has no pairs, or the photographs of a pair are of two sizes.
    """

    name: ClassVar[str] = "real-noise"
    summary: ClassVar[str] = "a real noisy photograph, the truth the mean of many (sets polyu, cc)"
    problem: ClassVar[Problem] = DENOISING
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        x, pair = clean.unsqueeze(0), pair_of(key.dataset, key.image)
        y = x.clone() if pair is None else pair.observed().to(x).unsqueeze(0)
        return Observation(y, Identity(), None, Truth(x, UnknownNoise()))
