"""The prior image of BIGPrior, alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.precision import Precision
from datasets.observation import Observation
from datasets.task import Problem
from methods.fusion._experts import Experts
from methods.fusion.bigprior import Bigprior, BigpriorRow, alone


@dataclass(frozen=True)
class BigpriorPrior(BigpriorRow):
    """x̂ = g of the row `bigprior`: φ = 1 wherever the data are not exact, 0 at observed pixels of an image with holes.

    In denoising g is the prior's estimate of a pixel from all other pixels; in holes it is the result of `gated-cnn`,
    for colours that of `chroma-cnn`, for JPEG and super-resolution that of `unet-artefacts`, for blur that of `pnp`.

    Args:
        precision: of the prior's convolutions.
    """

    name: ClassVar[str] = "bigprior-prior"
    problems: ClassVar[tuple[Problem, ...]] = Experts.problems
    summary: ClassVar[str] = "the prior image of bigprior alone: each pixel estimated from the others"
    citation: ClassVar[str] = "this suite, after Z. Kadkhodaie, E. P. Simoncelli, NeurIPS 2021"

    precision: Precision = "float32"

    def weights(self) -> tuple[Path, ...]:
        return Bigprior(self.precision).weights()

    def restore(self, observation: Observation) -> Restoration:
        fused = Bigprior(self.precision).restore(observation)
        assert fused.fidelity is not None
        assert fused.prior is not None
        return alone(observation, fused.fidelity, fused.prior)
