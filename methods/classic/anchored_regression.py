"""Super-resolution by anchored regression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar

from safetensors.torch import load_file
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.weight_files import reading
from datasets.observation import Observation
from datasets.operators import LUMA
from datasets.resize import BICUBIC_REDUCTION
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method, noise_level
from methods.classic._anchored import detail
from methods.classic._reduction import enlarged, fused, singular

TABLE = Path(__file__).parent / "tables" / "anchored-regression.safetensors"


@dataclass(frozen=True)
class AnchoredRegression(Method):
    """g = bicubic enlargement + R_k p, p the 7×7 patch of y less its mean, k its nearest anchor; then back-projection.

    Every scale has anchors a_k and ridge regressors R_k, which take a patch to the s×s pixels of x in its middle pixel
    and are fitted on the patches nearest to a_k (largest |⟨a_k, p⟩|, through a Gaussian window, p of unit length). Luma
    chooses k, and R_k is applied to every channel. g is the mean over the 8 symmetries of the square. x̂ is the fusion
    of `back-projection` with this g: φ = σ²/(σ² + a²τ²) on the range of Aᵀ, 1 on the null space of A. It was fitted
    without noise.

    Sources: R. Timofte, V. De Smet and L. Van Gool, "A+: Adjusted Anchored Neighborhood Regression for Fast
    Super-Resolution", ACCV 2014; the symmetries: R. Timofte, R. Rothe and L. Van Gool, "Seven Ways to Improve
    Example-Based Single Image Super Resolution", CVPR 2016; one map per pixel of y and no overlap: Y. Romano,
    J. Isidoro and P. Milanfar, "RAISR", IEEE Transactions on Computational Imaging 3(1), 2017. Deviations from A+:
    patches of y and not gradients of its enlargement, fewer anchors, from k-means, regressors from all their patches.

    Args:
        spread: τ, the standard deviation of x − g on the [0,1] scale; it matters only if there is noise.
    """

    name: ClassVar[str] = "anchored-regression"
    summary: ClassVar[str] = "linear maps from patches of the small image to the missing detail, one for each anchor"
    citation: ClassVar[str] = (
        "R. Timofte, V. De Smet and L. Van Gool, A+: Adjusted Anchored Neighborhood Regression for Fast "
        "Super-Resolution, ACCV, 2014"
    )
    problems: ClassVar[tuple[Problem, ...]] = (BICUBIC_REDUCTION,)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    spread: Annotated[float, Within(1e-3, 1)] = 0.03

    def weights(self) -> tuple[Path, ...]:
        return (TABLE,)

    def restore(self, observation: Observation) -> Restoration:
        parts = singular(observation, self.name)
        y = observation.y
        g = enlarged(observation, "bicubic", self.name)
        anchors, maps = fitted(g.shape[-2] // y.shape[-2])
        # Which anchor is nearest decides: from the same numbers, every dtype makes the same choices.
        g = g + symmetric_detail(y.float(), anchors, maps).to(y)
        ratio = (noise_level(observation) / self.spread).square().view(-1, 1, 1, 1)
        return fused(observation, parts, g, parts.reliance(ratio))


@lru_cache(maxsize=4)
def fitted(scale: int) -> tuple[Tensor, Tensor]:
    """Return the anchors (K,49) and maps (K,49,s²) of a scale, float32.

    Raises:
        SuiteError: the table is not there or damaged.
    """
    with reading(TABLE, "a table of anchored regression"):
        table = load_file(TABLE)
        return table[f"anchors-{scale}"].float(), table[f"maps-{scale}"].float()


def symmetric_detail(y: Tensor, anchors: Tensor, maps: Tensor) -> Tensor:
    """Return the mean of `detail` over the 8 symmetries of the square, turned back."""
    guide = y if y.shape[1] == 1 else (y * y.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    scale = round(maps.shape[-1] ** 0.5)
    total = y.new_zeros(*y.shape[:2], scale * y.shape[-2], scale * y.shape[-1])
    for flips in ((), (-2,), (-1,), (-2, -1)):
        total += detail(y.flip(flips), guide.flip(flips), anchors, maps).flip(flips)
        total += detail(y.mT.flip(flips), guide.mT.flip(flips), anchors, maps).flip(flips).mT
    return total / 8
