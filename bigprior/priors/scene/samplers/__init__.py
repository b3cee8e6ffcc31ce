"""Samplers of p(x | y) for a prior that is known by its denoiser: one file each."""

from __future__ import annotations

from bigprior.priors.scene.samplers.base import Denoiser, Sampler
from bigprior.priors.scene.samplers.bridge import Bridge
from bigprior.priors.scene.samplers.ddnm import DDNM
from bigprior.priors.scene.samplers.diffpir import DiffPIR
from bigprior.priors.scene.samplers.dps import DPS
from datasets.errors import unknown

SAMPLERS: dict[str, type[Sampler]] = {each.name: each for each in (Bridge, DDNM, DPS, DiffPIR)}
"""By name."""


def get_sampler(name: str, steps: int = 16) -> Sampler:
    """Return a sampler with its other parameters as they are.

    Raises:
        SuiteError: there is none of this name, or too few steps.
    """
    if name not in SAMPLERS:
        raise unknown("sampler", name, SAMPLERS)
    return SAMPLERS[name](steps)


__all__ = ["SAMPLERS", "Denoiser", "Sampler", "get_sampler"]
