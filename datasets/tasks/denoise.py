"""Additive white Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from datasets.errors import SuiteError
from datasets.observation import Identity, Observation, Truth
from datasets.task import Key, Task

SIGMA_MAX = 255.0


@dataclass(frozen=True)
class Denoise(Task):
    """y = x + σ n, n ~ N(0, I), not clipped.

    Args:
        sigma: on the 0–255 scale, "25": known and fixed; "A:B": blind, an integer drawn uniformly from A..B per
            image (both ends included) and hidden from the methods, as in the BIGPrior paper (5:50).
    """

    name: ClassVar[str] = "denoise"
    summary: ClassVar[str] = "additive white Gaussian noise, known σ or blind"
    metrics: ClassVar[tuple[str, ...]] = ("psnr", "ssim", "lpips")

    sigma: str = "25"
    _range: tuple[float, float] = field(init=False, repr=False, compare=False, default=(0.0, 0.0))

    def __post_init__(self) -> None:
        parts = str(self.sigma).split(":")
        try:
            low, high = (float(parts[0]), float(parts[-1])) if len(parts) <= 2 else (np.nan, np.nan)
        except ValueError:
            low = high = np.nan
        if not (0 <= low <= high <= SIGMA_MAX) or (len(parts) == 2 and (low % 1 or high % 1)):
            raise SuiteError(
                f"sigma '{self.sigma}' is out of range: give one number from 0 to 255 (25), "
                "or two integers A:B for a blind range (5:50)."
            )
        object.__setattr__(self, "sigma", ":".join(np.format_float_positional(float(p), trim="-") for p in parts))
        object.__setattr__(self, "_range", (low, high))

    @property
    def blind(self) -> bool:  # type: ignore[override]
        return ":" in self.sigma

    @property
    def parameters(self) -> dict[str, object]:
        return {"sigma": self.sigma}

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        random = self.random(key)
        low, high = self._range
        level = float(random.randint(int(low), int(high) + 1)) if self.blind else low
        noise = torch.from_numpy(random.standard_normal(tuple(clean.shape)).astype(np.float32))
        x = clean.unsqueeze(0)
        sigma = torch.tensor([level / 255.0], dtype=x.dtype)
        return Observation(
            y=x + sigma.item() * noise.unsqueeze(0),
            operator=Identity(),
            mask=torch.ones_like(x[:, :1]),
            sigma=None if self.blind else sigma,
            truth=Truth(x, sigma),
        )
