"""Richardson–Lucy deconvolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from bigprior.fusion import Restoration
from datasets.blur import CROPPED_DEBLURRING, PERIODIC_DEBLURRING, filtered
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method
from methods.classic._blurred import blurred

LEAST = 1e-4
"""The least A x that is divided by, far under a step of an 8-bit image."""


@dataclass(frozen=True)
class RichardsonLucy(Method):
    """x ← x · Kᵀ(w/K x), a fixed number of times, from x = y; per channel, y under 0 clamped to 0.

    K is the periodic blur, with Kᵀ1 = 1. With a periodic blur w = y; with a cropped one w is y where it was seen and Kx
    in the border (`Blurred`): what was not seen is missing data, and the border does not grow without bound as
    x · Aᵀ(y/A x)/Aᵀ1 lets it, where Aᵀ1 is small.

    Each step raises the likelihood of y under Poisson noise: multiplied by the counts of a pixel, it is expectation
    maximisation. There is no prior in it. What regularises is that the steps end early, and that x ≥ 0; so there is no
    g, and no φ that would not depend on the start: the restoration is not decoupled. The suite's noise is Gaussian, of
    which the row knows nothing; it is not told σ.

    Sources: W. H. Richardson, "Bayesian-Based Iterative Method of Image Restoration", JOSA 62(1), 1972; L. B. Lucy, "An
    Iterative Technique for the Rectification of Observed Distributions", Astronomical Journal 79, 1974; for the
    likelihood L. A. Shepp and Y. Vardi, 1982.

    Args:
        iterations: number of steps.
    """

    name: ClassVar[str] = "richardson-lucy"
    summary: ClassVar[str] = "multiplicative steps towards the likeliest image under Poisson noise, stopped early"
    citation: ClassVar[str] = "W. H. Richardson, Bayesian-based iterative method of image restoration, JOSA 1972"
    problems: ClassVar[tuple[Problem, ...]] = (PERIODIC_DEBLURRING, CROPPED_DEBLURRING)
    decoupled: ClassVar[bool] = False

    iterations: Annotated[int, Within(0, 10_000)] = 25

    def restore(self, observation: Observation) -> Restoration:
        seen = blurred(observation, self.name)
        y, back = seen.y.clamp(min=0), seen.gain.conj()
        x = seen.start().clamp(min=LEAST)
        for _ in range(self.iterations):
            # Rounding in the transforms may leave what is positive a little under 0.
            ratio = y / seen.blur(x).clamp(min=LEAST) + 1 - seen.seen
            x = x * filtered(ratio, back).clamp(min=0)
        return Restoration(x)
