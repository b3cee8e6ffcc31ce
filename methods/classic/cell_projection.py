"""Deblocking of JPEG images by a denoiser, kept within the quantisation cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.compression import DEBLOCKING, Jpeg
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Identity
from datasets.spec import Within
from datasets.task import DENOISING, Problem, Task
from datasets.tasks.denoise import Denoise
from methods.base import Method
from methods.classic._cells import LumaBlocks, jpeg, within_cells
from methods.nested import Nested, inner


@dataclass(frozen=True)
class CellProjection(Nested):
    """g = a denoiser's image of y, σ from the quantisation table; x̂ = the nearest point to g in the cells of y.

    Foi et al. take compression for white Gaussian noise of σ² = scale · q̄^power on the 0–255 scale, q̄ the mean of the
    3×3 lowest entries of the luma table. Cells are those of `tv-deblocking`: in the block DCT of luma, with f = y,
    φ = min(1, share · q/(2|g − f|)). Chroma is the denoiser's, φ = 1.

    Args:
        denoiser: a row that denoises and is told σ, such as `nlm` or `"nlm[patch=5]"`.
        scale_gray, scale_colour: of σ² for one channel and for three, whose chroma is compressed more.
        power: of σ².
        share: of a quantisation cell that is left open; 1 is all of it.

    Sources: A. Foi, V. Katkovnik and K. Egiazarian, "Pointwise Shape-Adaptive DCT for High-Quality Denoising and
    Deblocking of Grayscale and Color Images", IEEE Transactions on Image Processing 16(5), 2007, for σ and the
    idea; A. Zakhor, "Iterative Procedures for Reduction of Blocking Effects in Transform Image Coding", IEEE
    Transactions on Circuits and Systems for Video Technology 2(1), 1992, for the projection. Deviations: the
    denoiser is any, for colour it is given RGB, and scale is not their 0.69, which suits their shape-adaptive DCT.
    """

    name: ClassVar[str] = "cell-projection"
    summary: ClassVar[str] = "a denoiser's image, projected on the quantisation cells of a JPEG"
    citation: ClassVar[str] = (
        "A. Foi, V. Katkovnik and K. Egiazarian, Pointwise Shape-Adaptive DCT for High-Quality Denoising and "
        "Deblocking of Grayscale and Color Images, IEEE Trans. Image Processing, 2007"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DEBLOCKING,)
    decoupled: ClassVar[bool] = True

    denoiser: str = "collaborative-wiener"
    scale_gray: Annotated[float, Within(0, 100)] = 2.0
    scale_colour: Annotated[float, Within(0, 100)] = 6.0
    power: Annotated[float, Within(0, 4)] = 1.3
    share: Annotated[float, Within(0, 1)] = 1.0

    @property
    def row(self) -> Method:
        """The denoiser."""
        return inner(self.denoiser, DENOISING, "denoiser", told=True)

    def supports(self, task: Task) -> str | None:
        return super().supports(task) or self.row.supports(Denoise())

    def level(self, operator: Jpeg, channels: int) -> float:
        """Return σ on the [0,1] scale."""
        coarse = float(operator.tables()[0][:3, :3].mean())
        scale = self.scale_gray if channels == 1 else self.scale_colour
        return float((scale * coarse**self.power) ** 0.5) / 255

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        level = self.level(jpeg(observation), y.shape[1])
        sigma: Tensor = torch.full((len(y),), level, dtype=y.dtype, device=y.device)
        image = self.row.restore(Observation(y, Identity(), Gaussian(sigma))).image
        prior = LumaBlocks((y.shape[-2], y.shape[-1])).analysis(image)
        return within_cells(observation, prior, self.share, chroma=1)
