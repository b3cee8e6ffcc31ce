"""The coarse grid: a photograph is its coarse image, in which scenes are told, and what is fine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import interpolate, pad

from bigprior.priors.scene.problem import KnownLuma, KnownPixels, LinearProblem
from bigprior.smooth_fill import smooth_fill
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator

SIDE = 64
"""Pixels of the short side of the coarse image, nearly: the factor is a whole number."""
MULTIPLE = 8
"""Of the sides that the prior takes."""
DETAIL = 0.065
"""Deviation of the mean of a few pixels of a cell from the mean of all, on the [0,1] scale, times 1/√(1 − their share).

Measured on training images of LSUN: 0.040, 0.056 and 0.087 for a half, a quarter and a sixteenth of 4×4 pixels.
"""
FILLED = 1.0
"""Noise with which a smooth fill is said to show the cells of a hole, on the [-1,1] scale and for each cell of distance
to the known ones. Chosen on validation images.

Without it the state of a sampler begins with no relation to what surrounds the hole, and few steps do not make one.
"""
STRONGEST = 10.0
"""Largest noise that draws begin with, on the [-1,1] scale, where pixels deviate by 0.5 or so from their mean."""
EXACT = 2e-3
"""Noise that a cell without any is said to have, on the [-1,1] scale: that of the sampler's last level."""


@dataclass(frozen=True)
class Grid:
    """Cells of factor × factor pixels that cover an image of height × width pixels from its top left corner.

    Cells at the right and at the bottom may reach beyond the image: they are the mean of what they have of it.
    """

    height: int
    width: int
    factor: int

    @staticmethod
    def of(height: int, width: int, side: int = SIDE) -> Grid:
        """Return the grid whose short side has `side` cells, nearly: a whole number of pixels a cell, at least 1."""
        return Grid(height, width, max(1, round(min(height, width) / side)))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return -(-self.height // self.factor), -(-self.width // self.factor)

    def total(self, image: Tensor) -> Tensor:
        """Return the sum over each cell of images (N,C,H,W), (N,C,h,w)."""
        n, c, height, width = image.shape
        (h, w), s = self.shape, self.factor
        whole = pad(image, (0, w * s - width, 0, h * s - height))
        return whole.view(n, c, h, s, w, s).sum(dim=(3, 5))

    def spread(self, cells: Tensor) -> Tensor:
        """Return the images (N,C,H,W) with the value of its cell (N,C,h,w) at every pixel: the adjoint of `total`."""
        s = self.factor
        return cells.repeat_interleave(s, 2).repeat_interleave(s, 3)[..., : self.height, : self.width]

    def count(self, weight: Tensor) -> Tensor:
        """Return how many pixels of each cell are in the image, (1,1,h,w)."""
        return self.total(weight.new_ones(1, 1, self.height, self.width))

    def mean(self, image: Tensor) -> Tensor:
        """Return the coarse image: the mean over each cell of images (N,C,H,W), (N,C,h,w)."""
        return self.total(image) / self.count(image)

    def known_mean(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean over the known pixels of each cell (N,C,h,w), 0 where there are none, and their share.

        Args:
            image: (N,C,H,W).
            mask: (N,1,H,W), 1 where a pixel is known, else 0.

        Returns:
            The mean, and (N,1,h,w) the known share of the pixels of a cell, in [0,1].
        """
        known = self.total(mask)
        return self.total(image * mask) / known.clamp_min(1), known / self.count(mask)

    def enlarge(self, coarse: Tensor) -> Tensor:
        """Return coarse images (N,C,h,w) enlarged smoothly to the size of the image (bicubic)."""
        if self.factor == 1:
            return coarse
        fine = interpolate(coarse, scale_factor=self.factor, mode="bicubic", align_corners=False)
        return fine[..., : self.height, : self.width]


@dataclass(frozen=True)
class CoarseProblem:
    """An observation as the prior takes it: a linear problem on a grid of cells, enlarged by reflection.

    Attributes:
        problem: on the [-1,1] scale, with sides of multiples of `MULTIPLE`.
        grid: of cells.
    """

    problem: LinearProblem
    grid: Grid

    def image(self, x: Tensor) -> Tensor:
        """Return images x (...,3,h,w) of the problem as coarse images of the grid on the [0,1] scale."""
        h, w = self.grid.shape
        return (x[..., :h, :w] + 1) / 2


def coarse_problem(observation: Observation, level: Tensor | None = None) -> CoarseProblem:
    """Return what an observation says of the coarse image.

    - noise: the mean of the n pixels of a cell is seen with the noise σ/√n.
    - holes: the mean of the known pixels of a cell is seen with a noise of `DETAIL` · √(1 − their share), and without
      one where all are known; σ is averaged likewise. Cells without known pixels are said to be seen as a smooth fill
      shows them, with a noise of `FILLED` times the distance to the nearest known cell: what a draw begins with, as in
      SDEdit. Where nothing is known, nothing is seen.
    - luma: the mean over a cell of the luma is the luma of the mean, exactly.

    A gray image is three equal channels with noise of their own.

    Source of the beginning: C. Meng et al., "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential
    Equations", ICLR 2022. It is no exact conditioning: the fill is made of y, and its errors are not white.

    Args:
        level: σ (N,) on the [0,1] scale, where the observation does not tell it.

    Raises:
        ValueError: the operator is not carried to the coarse grid (`COARSE`), or no σ is told or given.
    """
    build = by_operator(COARSE, observation.operator, "the scene prior")
    level = observation.sigma if level is None else level
    if level is None:
        raise ValueError("the noise of this observation is hidden: give its level")
    grid = Grid.of(*observation.mask.shape[-2:])
    return CoarseProblem(build(observation, level.to(observation.y), grid), grid)


class _Luma(KnownLuma):
    """Known luma; chroma is taken for seen with the noise `STRONGEST` when it is asked where draws begin.

    Of few steps from there on, more are where scenes are told.
    """

    def largest_noise(self) -> Tensor:
        """`STRONGEST`."""
        return super().largest_noise().clamp_max(STRONGEST)


def _of_pixels(observation: Observation, level: Tensor, grid: Grid) -> LinearProblem:
    y = observation.fidelity.expand(-1, 3, -1, -1)
    mean, share = grid.known_mean(y, observation.mask)
    count = grid.total(observation.mask).clamp_min(1)
    variance = DETAIL**2 * (1 - share) + level.square().view(-1, 1, 1, 1) / count
    noise = (2 * variance.sqrt()).clamp_min(EXACT)
    seen = (share > 0).to(y.dtype)
    value = torch.where(share > 0, mean, smooth_fill(mean, seen))
    weight = torch.where(share > 0, EXACT / noise, EXACT / (FILLED * distance(seen)))
    weight, value = reflected(weight), reflected(2 * value - 1)
    return KnownPixels(weight * value, torch.full_like(level, EXACT), weight)


def distance(seen: Tensor) -> Tensor:
    """Return how far each cell of maps (N,1,h,w) is from the nearest one that is 1, in cells; ∞ where none is."""
    each = [distance_transform_edt(one == 0) if one.any() else np.full(one.shape, np.inf) for one in seen.cpu().numpy()]
    return torch.from_numpy(np.stack(each)).to(seen)


def _of_luma(observation: Observation, level: Tensor, grid: Grid) -> LinearProblem:
    return _Luma(reflected(2 * grid.mean(observation.y) - 1), torch.zeros_like(level))


COARSE: dict[type[Operator], Callable[[Observation, Tensor, Grid], LinearProblem]] = {
    Identity: _of_pixels,
    Masking: _of_pixels,
    Luma: _of_luma,
}
"""Operator → what an observation says of the coarse image, from the observation, σ and the grid."""


def reflected(image: Tensor) -> Tensor:
    """Return images (N,C,h,w) continued at the right and at the bottom by reflection to multiples of `MULTIPLE`."""
    h, w = image.shape[-2:]
    # numpy reflects again where the margin is wider than the image; torch refuses.
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(side), (0, -side % MULTIPLE), mode="reflect" if side > 1 else "edge"))
        for side in (h, w)
    )
    return image[..., rows.to(image.device), :][..., columns.to(image.device)]
