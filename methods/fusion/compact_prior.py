"""The compact prior, alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.precision import Precision
from bigprior.priors.compact.prior import WEIGHTS, CompactPrior, load_prior
from datasets.observation import Observation
from methods.fusion.bigprior import BigpriorRow, alone


@dataclass(frozen=True)
class CompactPriorRow(BigpriorRow):
    """x̂ = E[x | y] of one generative network in every task, without an expert: φ = 1 wherever the data are not exact.

    The network whose samples are in `bigprior/weights/compact-prior.md`. Its mean has seen y, so in denoising the
    declared φ = 1 is more than the implied reliance.

    Args:
        precision: of the prior's convolutions.

    Source: see `bigprior.priors.compact.prior.CompactPrior`.
    """

    name: ClassVar[str] = "compact-prior"
    summary: ClassVar[str] = "the posterior mean of one generative network, in every task"
    citation: ClassVar[str] = "this suite, after Z. Kadkhodaie, E. P. Simoncelli, NeurIPS 2021"

    precision: Precision = "float32"

    def weights(self) -> tuple[Path, ...]:
        return (WEIGHTS,)

    def restore(self, observation: Observation) -> Restoration:
        network = load_prior(device=observation.y.device, dtype=observation.y.dtype)
        g = CompactPrior(network, precision=self.precision).invert(observation).image
        return alone(observation, observation.fidelity, g)
