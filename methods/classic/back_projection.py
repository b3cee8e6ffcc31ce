"""Iterative back-projection, taken to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from bigprior.fusion import Restoration
from datasets.blur import DECIMATION
from datasets.observation import Observation
from datasets.resize import BICUBIC_REDUCTION
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._reduction import enlarged, fused, singular


@dataclass(frozen=True)
class BackProjection(Method):
    """x̂ = argmin_x ‖A x − y‖²/σ² + ‖x − g‖²/τ², g an interpolation of y; without noise the x nearest to g with A x = y.

    Irani and Peleg correct an enlarged image by x ← x + B(y − A x) until it explains y. With B = c Aᵀ, which bicubic
    enlargement is, the limit is g + A⁺(y − A g): the data on the range of Aᵀ and g on the null space of A. It is
    computed at once from the singular values a of A. In the coordinates Vᵀx of A = U diag(a) Vᵀ

        φ = σ²/(σ² + a²τ²) on the range, 1 on the null space,   f = Uᵀy/a,

    so φ is 0 on the range if there is no noise. A bicubic g has no part in the null space of the bicubic reduction:
    for that start x̂ is A⁺y, and only others bring something of their own.

    Args:
        start: what interpolates g.
        spread: τ, the standard deviation of x − g on the [0,1] scale; it matters only if there is noise.

    Source: M. Irani and S. Peleg, "Improving Resolution by Image Registration", CVGIP: Graphical Models and Image
    Processing 53(3), 1991. Deviations: one image; the limit and not a number of steps; with noise, its Gaussian
    posterior mean, since the limit would amplify it.
    """

    name: ClassVar[str] = "back-projection"
    summary: ClassVar[str] = "an interpolation corrected until it explains the small image"
    citation: ClassVar[str] = (
        "M. Irani and S. Peleg, Improving Resolution by Image Registration, CVGIP: Graphical Models and Image "
        "Processing, 1991"
    )
    problems: ClassVar[tuple[Problem, ...]] = (BICUBIC_REDUCTION, DECIMATION)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    start: Literal["bicubic", "lanczos"] = "lanczos"
    spread: Annotated[float, Within(1e-3, 1)] = 0.05

    def restore(self, observation: Observation) -> Restoration:
        parts = singular(observation, self.name)
        ratio = (noise_level(observation) / self.spread).square().view(-1, 1, 1, 1)
        g = enlarged(observation, self.start, self.name)
        return fused(observation, parts, g, parts.reliance(ratio))
