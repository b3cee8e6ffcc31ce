"""The prior image of BIGPrior, alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.precision import Precision
from datasets.observation import Observation
from methods.fusion.bigprior import Bigprior, BigpriorRow, alone


@dataclass(frozen=True)
class BigpriorPrior(BigpriorRow):
    """x̂ = g of the row `bigprior`: φ = 1 wherever the data are not exact, 0 at observed pixels of an image with holes.

    In denoising g is the prior's estimate of a pixel from all other pixels; in holes it is the result of `gated-cnn`,
    and for colours that of `chroma-cnn`.

    Args:
        precision: of the prior's convolutions.
    """

    name: ClassVar[str] = "bigprior-prior"
    summary: ClassVar[str] = "the prior image of bigprior alone: each pixel estimated from the others"
    citation: ClassVar[str] = "this suite, after Z. Kadkhodaie, E. P. Simoncelli, NeurIPS 2021"

    precision: Precision = "float32"

    def restore(self, observation: Observation) -> Restoration:
        fused = Bigprior(self.precision).restore(observation)
        assert fused.fidelity is not None
        assert fused.prior is not None
        return alone(observation, fused.fidelity, fused.prior)
