"""Inversion of a GAN by its code first and then by its early feature maps too.

D. Bau, H. Strobelt, W. Peebles, J. Wulff, B. Zhou, J.-Y. Zhu, A. Torralba, "Semantic Photo Manipulation with a
Generative Image Prior", SIGGRAPH 2019, with the layered form of the same group's "Seeing What a GAN Cannot Generate",
ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from bigprior.priors.base import Inversion, Progress
from bigprior.priors.gan_inversion import GanInversion
from datasets.observation import Observation


@dataclass(frozen=True)
class FeatureMap(GanInversion):
    """g = G₂(r_ℓ), r_0 = z, r_i = g_i(r_{i−1}) + δ_i: the code and corrections of the feature maps up to layer ℓ.

    First z alone is found with δ = 0; from there z and all δ_i are, under data term + λ Σ_i mean δ_i². Both
    parts stop by the same rule and have the same number of iterations in `GanInversion`'s sense, so that the trace
    holds at most twice as many; an image whose code already satisfies the rule keeps it.

    Deviations: the start is not an encoder's guess but the common random code, and the step, iterations and λ are ours
    (the papers train one encoder per generator). Latents: z (N,Z), then δ_1..δ_ℓ (N,C,h,w).

    Args:
        layer: ℓ.
        regularisation: λ.
    """

    iterations: int = 500
    rate: float = 0.05
    optimiser: Literal["sgd", "adam"] = "adam"
    layer: int = 4
    regularisation: float = 1e-2

    def __post_init__(self) -> None:
        if not 1 <= self.layer <= self.generator.layers:
            raise ValueError(f"layer {self.layer}: the generator has layers 1 to {self.generator.layers}")

    def start(self, count: int) -> list[Tensor]:
        z = self.codes_at(count, 1)[:, 0]
        return [z, *(z.new_zeros(count, *self.generator.shape(i)) for i in range(1, self.layer + 1))]

    def render(self, latents: Sequence[Tensor]) -> Tensor:
        x, *corrections = latents
        for index in range(self.layer):
            x = self.generator.layer(index, x).to(latents[0].dtype)
            if corrections:
                x = x + corrections[index]
        return self.generator.image(x, self.layer)

    def penalty(self, latents: Sequence[Tensor]) -> Tensor | float:
        squares = [correction.square().flatten(1).mean(1) for correction in latents[1:]]
        return self.regularisation * torch.stack(squares).sum(0) if squares else 0.0

    def invert(self, observation: Observation, progress: Progress | None = None) -> Inversion:
        frame = self.frame(observation)
        both = 2 * self.iterations

        def first(done: int, _: int, losses: Tensor) -> None:
            if progress is not None:
                progress(done, both, losses)

        def second(done: int, _: int, losses: Tensor) -> None:
            if progress is not None:
                progress(self.iterations + done, both, losses)

        z, *corrections = self.start(len(observation))
        code = self.descend(frame.observation, [z], self.render, self.iterations, first)
        refined = self.descend(frame.observation, [*code.latents, *corrections], self.render, self.iterations, second)
        found = replace(
            refined,
            losses=torch.cat([code.losses, refined.losses]),
            iterations=code.iterations + refined.iterations,
        )
        return self.finished(observation, frame, found)
