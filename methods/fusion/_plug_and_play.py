"""What the rows of plug and play have in common: a denoiser as prior, and its levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from datasets.blur import CROPPED_DEBLURRING, DECIMATION, PERIODIC_DEBLURRING
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from datasets.resize import BICUBIC_REDUCTION
from datasets.spec import Within, parse
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem, Task, get_task
from methods.base import Method, noise_level
from methods.nested import Nested
from methods.registry import get_method

FLOOR = 0.255
"""The least σ, on the 0–255 scale, by which data are trusted before the last step: as in DPIR."""
LINEAR = (INPAINTING, COLORIZATION, PERIODIC_DEBLURRING, CROPPED_DEBLURRING, DECIMATION, BICUBIC_REDUCTION)
"""The problems with a data step, denoising left out: there the denoiser itself is the row to run."""


@dataclass(frozen=True)
class PlugAndPlay(Nested):
    """A restoration whose prior is a denoiser: any row that runs on denoising and is told σ.

    Args:
        denoiser: its spec, such as `unet-sigma`, `bm3d` or `nlm[patch=5]`.

    Raises:
        SuiteError: there is no such row, or a parameter of it is wrong.
        ValueError: it is no denoiser, or is not told σ.
    """

    problems: ClassVar[tuple[Problem, ...]] = LINEAR
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    denoiser: str = "unet-sigma"

    @property
    def devices(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the denoiser."""
        return self.row.devices

    @property
    def row(self) -> Method:
        """The denoiser."""
        return _row(self.denoiser)

    def supports(self, task: Task) -> str | None:
        reason = super().supports(task)
        if reason is not None:
            return reason
        missing = self.row.supports(get_task("denoise"))
        return None if missing is None else f"its denoiser '{self.denoiser}' cannot run: {missing}"

    def denoised(self, z: Tensor, sigma: Tensor) -> Tensor:
        """Return the denoiser's image of z (N,C,H,W) with white noise of σ (N,)."""
        return self.row.restore(Observation(z, Identity(), Gaussian(sigma))).image


@dataclass(frozen=True)
class Scheduled(PlugAndPlay):
    """Plug and play with a level that falls from round to round: σ_k, log-spaced from `first` to σ or `floor`.

    Args:
        iterations: rounds, each with one call of the denoiser.
        first: σ_1 on the 0–255 scale; σ if that is larger.
        floor: the least last σ_k, on the 0–255 scale.
        weight: λ of ρ_k = λ σ²/σ_k².
        closing: by how much ρ of the last data step, which makes the fusion, is greater than λ.
    """

    iterations: Annotated[int, Within(1, 1000)] = 8
    first: Annotated[float, Within(0.1, 255)] = 49.0
    floor: Annotated[float, Within(0.1, 255)] = 2.5
    weight: Annotated[float, Within(1e-6, 100)] = 0.6
    closing: Annotated[float, Within(0, 1000)] = 10.0

    def schedule(self, observation: Observation) -> tuple[Tensor, Tensor, Tensor]:
        """Return σ_k (K,N), ρ_k (K,N,1,1,1), and ρ of the last data step (N,1,1,1), which is 0 without noise."""
        sigma = noise_level(observation)
        last = sigma.clamp(min=self.floor / 255)
        start = last.clamp(min=self.first / 255)
        steps = torch.linspace(0, 1, self.iterations, dtype=sigma.dtype, device=sigma.device)[:, None]
        levels = start * (last / start) ** steps
        trusted = self.weight * sigma.clamp(min=FLOOR / 255).square()
        rho = trusted / levels.square()
        end = torch.where(sigma > 0, self.closing * self.weight * (sigma / last).square(), 0)
        return levels, rho[:, :, None, None, None], end[:, None, None, None]


@cache
def _row(spec: str) -> Method:
    """Return the denoiser of a spec; rows have no state."""
    parse(spec, "denoiser")
    row = get_method(spec)
    if DENOISING not in row.problems:
        raise ValueError(f"denoiser '{spec}' is no denoiser: it is made for other problems")
    if row.oracle or row.elsewhere or not row.uses_sigma:
        why = "looks at the clean image" if row.oracle else "is not told σ" if not row.elsewhere else "is only read"
        raise ValueError(f"denoiser '{spec}' {why}: take one that is told σ, such as unet-sigma or bm3d")
    return row
