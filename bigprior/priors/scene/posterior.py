"""The scene prior as the prior of any photograph: the coarse image is drawn, what is fine is added by a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from bigprior.freedom import everywhere, in_holes, where_noisy
from bigprior.networks import BiasFreeUNet
from bigprior.precision import Precision, computing
from bigprior.priors.base import GenerativePrior, Inversion, NonFiniteInversion, Progress, as_image_space, measure
from bigprior.priors.compact.means import GRAY, Knowledge
from bigprior.priors.compact.prior import known_of
from bigprior.priors.scene.coarse import Grid, coarse_problem
from bigprior.priors.scene.fine import refine
from bigprior.priors.scene.prior import ScenePrior
from bigprior.priors.scene.samplers import Sampler
from bigprior.priors.scene.samplers.bridge import Bridge
from bigprior.priors.scene.windows import Windowed
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking, Operator, by_operator

DECODED = 4
"""Pixels of a side of a cell of an image that `decode` makes."""


@dataclass(frozen=True)
class ScenePosterior(GenerativePrior):
    """p(x | y) = Σ p(x | c, y) p(c | y), c the coarse image of x: scenes are in c, texture and edges in x given c.

    A draw is a draw of c by a sampler, from the diffusion prior of coarse images and what y says of c
    (`coarse.coarse_problem`), and the estimate of x given c and y by the fine network, which is not random: the spread
    of draws is that of scenes. What y says exactly (known pixels, luma) is given to every draw.

    The noise of a draw depends on the bytes of y alone, and images are drawn one after the other: the draws of an image
    are the same in any batch.

    Args:
        prior: of coarse images, from `load_scene`.
        fine: from `load_fine`.
        sampler: of p(c | y).
        count: K, draws of an image.
        precision: of the fine network's convolutions.
    """

    prior: ScenePrior
    fine: BiasFreeUNet
    sampler: Sampler = field(default_factory=Bridge)
    count: int = 8
    precision: Precision = "float32"

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return photographs (N,3,4h,4w) in [0,1] of coarse images (c,), c (N,3,h,w) in [0,1], without any y."""
        (coarse,) = latents
        grid = Grid(DECODED * coarse.shape[2], DECODED * coarse.shape[3], DECODED)
        enlarged = grid.enlarge(coarse)
        nothing = torch.full_like(enlarged[:, :1], torch.inf)
        known = Knowledge(torch.full_like(enlarged, GRAY), nothing, torch.ones_like(nothing))
        return self._refined(known, enlarged).clamp(0, 1)

    def draws(self, observation: Observation, level: Tensor | None = None) -> Tensor:
        """Return K draws (K,N,C,H,W) from p(x | y) of each image, in the observation's image space, not clipped.

        Args:
            level: σ (N,) on the [0,1] scale, where the observation does not tell it; the fine network is not told it.

        Raises:
            SuiteError: there are no draws or too few steps.
            ValueError: the operator is not carried to the coarse grid, or no σ is told or given.
            NonFiniteInversion: a draw is not finite.
        """
        drawn = []
        for k in range(len(observation)):
            one = observation.select(k)
            image = self._drawn(one, None if level is None else level[k : k + 1])
            if not bool(torch.isfinite(image).all()):
                raise NonFiniteInversion([k], self.sampler.steps)
            drawn.append(image)
        return torch.stack(drawn, dim=1)

    def _drawn(self, observation: Observation, level: Tensor | None) -> Tensor:
        """Draws (K,C,H,W) of a batch of one."""
        free = freedom(observation)
        if not bool(free.any()):
            return observation.fidelity.expand(self.count, -1, -1, -1)
        coarse = coarse_problem(observation, level)
        denoise = Windowed(self.prior.denoiser())
        with torch.inference_mode():
            cells = self.sampler.draws(denoise, coarse.problem, [seed_of(observation)], self.count)
            enlarged = coarse.grid.enlarge(coarse.image(cells[:, 0]))
            known = known_of(observation)
            made = [self._refined(known, one) for one in enlarged.split(1)]
        image = as_image_space(observation, torch.cat(made))
        return torch.where(free > 0, image, observation.fidelity)

    def _refined(self, known: Knowledge, coarse: Tensor) -> Tensor:
        with torch.inference_mode(), computing(self.precision, coarse.device.type):
            return refine(self.fine, known, coarse)

    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        """Return the centre of the draws (`centre`) with their standard deviation per pixel; see `draws`.

        One loss: the mean of (A g − y)² over observed pixels. Nothing is iterated, and there are no latents.
        """
        draws = self.draws(observation)
        image = torch.where(freedom(observation) > 0, centre(observation, draws), observation.fidelity)
        weight = observation.mask.expand_as(observation.y)
        loss = ((measure(observation, image) - observation.y).square() * weight).flatten(1).sum(1)
        loss = loss / weight.flatten(1).sum(1).clamp_min(1)
        if progress is not None:
            progress(1, 1, loss)
        spread = draws.var(dim=0).mean(dim=1, keepdim=True).sqrt() if len(draws) > 1 else None
        return Inversion(image, loss[None], torch.ones(len(image), dtype=torch.int64), (), spread)


def seed_of(observation: Observation) -> int:
    """Return 63 bits that depend on the bytes of y (1,C,H,W) in single precision, and on its shape."""
    y = observation.y.detach().cpu().float().contiguous().numpy()
    content = y.tobytes() + np.array(y.shape, dtype=np.int64).tobytes()
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little") >> 1


def mean_of(draws: Tensor) -> Tensor:
    """Return the mean over draws (K,N,C,H,W)."""
    return draws.mean(dim=0)


def median_chroma(draws: Tensor) -> Tensor:
    """Return the luma of the draws (K,N,3,H,W), which all have the same, with the median of R − luma and of B − luma.

    Of an even number of draws, the mean of the middle two. G follows from the luma.
    """
    luma = Luma().forward(draws[0])
    red, blue = (draws[:, :, k : k + 1] - luma for k in (0, 2))
    r, b = (torch.quantile(chroma, 0.5, dim=0) for chroma in (red, blue))
    image = torch.cat([r, torch.zeros_like(r), b], dim=1)
    green = -Luma().forward(image) / Luma().forward(torch.zeros_like(image).index_fill(1, torch.tensor([1]), 1.0))
    return luma + torch.cat([r, green, b], dim=1)


@dataclass(frozen=True)
class Parts:
    """What depends on the operator, beside the coarse problem.

    Attributes:
        centre: draws (K,N,C,H,W) → one image (N,C,H,W).
        free: Observation → (N,1,H,W), 1 where the data leave room for a prior and 0 where they are exact.
    """

    centre: Callable[[Tensor], Tensor]
    free: Callable[[Observation], Tensor]


PARTS: dict[type[Operator], Parts] = {
    Identity: Parts(mean_of, where_noisy),
    Masking: Parts(mean_of, in_holes),
    Luma: Parts(median_chroma, everywhere),
}
"""Operator → its parts."""


def centre(observation: Observation, draws: Tensor) -> Tensor:
    """Return one image (N,C,H,W) for the draws (K,N,C,H,W): their mean, or for colours their median."""
    return by_operator(PARTS, observation.operator, "the scene prior").centre(draws)


def freedom(observation: Observation) -> Tensor:
    """Return 1 where the data leave room for a prior and 0 where they are exact (N,1,H,W)."""
    return by_operator(PARTS, observation.operator, "the scene prior").free(observation)
