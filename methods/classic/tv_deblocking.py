"""Total variation deblocking of JPEG images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from bigprior.fusion import Restoration
from datasets.compression import DEBLOCKING
from datasets.observation import Observation
from datasets.spec import Within
from datasets.task import Problem
from methods.base import Method
from methods.classic._cells import LumaBlocks, block_dct, block_idct, half_cells, jpeg, within_cells
from methods.classic._gradient import divergence, gradient


@dataclass(frozen=True)
class TVDeblocking(Method):
    """Least total variation of luma among the images whose block DCT lies in the quantisation cells of y.

    The file says of every DCT coefficient of an 8×8 block only the cell that it lies in, as wide as the quantisation
    step q. A cell here is c ± share · q/2 around the coefficient c of y; the true one is centred at a multiple of q,
    which c misses by no more than the rounding of y to 8 bit. Primal-dual steps, from y, x₋ the x before:

        p ← P(p + ∇(2x − x₋)/(8τ)),   g = x − τ ∇ᵀp,   x ← the nearest point to g in the cells,

    P the projection of every p_i on the unit disc. The last step is the fusion, in the block DCT of luma, with f = y:
    φ = min(1, share · q/(2|g − f|)), 1 where g lies in its cell. Chroma is kept, φ = 0: the file holds it at half the
    size, and cells of y's chroma would not be those of the file.

    Args:
        share: of a quantisation cell that is left open; 1 is all of it.
        step: τ.
        iterations: of the primal-dual steps.

    Sources: K. Bredies and M. Holler, "A Total Variation-Based JPEG Decompression Model", SIAM Journal on Imaging
    Sciences 5(1), 2012; A. Chambolle and T. Pock, 2011, for the steps; narrow cells: S. H. Park and D. S. Kim, "Theory
    of Projection onto the Narrow Quantization Constraint Set and Its Application", IEEE TIP 8(10), 1999. Deviations:
    the cells' centres and chroma, as said; blocks that the image does not fill are continued by their last pixels.
    """

    name: ClassVar[str] = "tv-deblocking"
    summary: ClassVar[str] = "least total variation of luma within the quantisation cells of a JPEG"
    citation: ClassVar[str] = (
        "K. Bredies and M. Holler, A Total Variation-Based JPEG Decompression Model, SIAM J. Imaging Sciences, 2012"
    )
    problems: ClassVar[tuple[Problem, ...]] = (DEBLOCKING,)
    decoupled: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    share: Annotated[float, Within(0, 1)] = 0.4
    step: Annotated[float, Within(1e-4, 10)] = 0.02
    iterations: Annotated[int, Within(1, 100_000)] = 50

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        f = LumaBlocks((y.shape[-2], y.shape[-1])).analysis(y)
        centre, half = f[:, :1], self.share * half_cells(jpeg(observation), f)
        low, high = centre - half, centre + half
        x = ahead = block_idct(centre)
        p = torch.zeros_like(gradient(x))
        inside = centre
        for _ in range(self.iterations):
            p = p + gradient(ahead) / (8 * self.step)
            p = p / p.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp(min=1)
            inside = block_dct(x + self.step * divergence(p))
            before, x = x, block_idct(torch.minimum(torch.maximum(inside, low), high))
            ahead = 2 * x - before
        return within_cells(observation, torch.cat([inside, f[:, 1:]], dim=1), self.share, chroma=0)
