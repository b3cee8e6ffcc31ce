"""Training of the scene prior: the denoising of small photographs at every noise level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.priors.scene.network import (
    ATTENTION,
    BLOCKS,
    CHANGES,
    CHANNELS,
    EMBEDDING,
    SceneUNet,
    output_scales,
    precondition,
)
from bigprior.priors.scene.photographs import Photographs, random_crop
from bigprior.training import Problem, Recipe

LEVEL_MEAN, LEVEL_DEVIATION = -0.8, 1.2
"""Of ln σ, of the crops that meet the noise of most use."""
UNIFORM = 0.08
"""Share of the crops whose ln σ is uniform over `RANGE` instead, for the first and the last steps of a sampler."""
RANGE = (0.02, 80.0)
UNLABELLED = 0.15
"""Share of the crops whose class is not told."""
VALIDATED = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Noise levels of the validation, and the images per set."""
PER_SET = 4


@dataclass(frozen=True)
class Example:
    """Crops (N,3,S,S) on the [-1,1] scale, what is told of them, their noise, and the seed of the dropout."""

    clean: Tensor
    label: Tensor
    changes: Tensor
    sigma: Tensor
    noise: Tensor
    seed: int


@dataclass(frozen=True)
class Denoising(Problem[SceneUNet, Example]):
    """The mean over crops of ‖D(x + σn; σ) − x‖² over the squared scale of the network's output.

    This is the plain mean square of the network's own error, which weighs noise levels alike before training. ln σ is
    normal, one draw from each of N equal shares of a batch; some are uniform. Crops are mirrored left to right, reduced
    and shaken in colour, and the network is told how, so that unshaken images can be asked for.

    Source: T. Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", NeurIPS 2022
    (weights, levels, told changes).
    """

    photographs: Sequence[Photographs]
    channels: tuple[int, ...] = CHANNELS
    blocks: tuple[int, ...] = BLOCKS
    attention: tuple[bool, ...] = ATTENTION
    embedding: int = EMBEDDING
    side: int = field(default=64, kw_only=True)
    selection: ClassVar[str] = "PSNR"

    def network(self) -> SceneUNet:
        """Return the network with random weights; it answers 0."""
        return SceneUNet(self.channels, self.blocks, self.attention, self.embedding)

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Example:
        """Return the crops of a step."""
        count = recipe.batch
        shares = np.array([each.share for each in self.photographs])
        chosen = random.choice(len(shares), size=count, p=shares / shares.sum())
        sets = [self.photographs[k] for k in chosen]
        crops = [random_crop(each.fit[random.integers(len(each.fit))], recipe.size, random) for each in sets]
        told = random.random(count) >= UNLABELLED
        clean = torch.stack([crop for crop, _ in crops])
        return Example(
            clean,
            torch.tensor([each.label * int(known) for each, known in zip(sets, told, strict=True)]),
            torch.stack([changes for _, changes in crops]),
            torch.from_numpy(noise_levels(random, count)),
            torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32)),
            int(random.integers(2**62)),
        )

    def loss(self, network: SceneUNet, batch: Example, progress: float) -> Tensor:
        """Return the loss of a batch."""
        noisy = batch.clean + batch.sigma[:, None, None, None] * batch.noise
        devices = [noisy.device] if noisy.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # a resumed run drops what it would have dropped
            torch.manual_seed(batch.seed)
            denoised = precondition(network, noisy, batch.sigma, batch.label, batch.changes)
        _, scale = output_scales(batch.sigma)
        return ((denoised - batch.clean) / scale).square().mean()

    @torch.no_grad()
    def validate(self, network: SceneUNet) -> dict[str, float]:
        """PSNR in dB of E[x | x + σn] of held-out images, not clipped, of each level of `VALIDATED`; and their mean."""
        clean = torch.cat([each.validation(PER_SET, self.side) for each in self.photographs])
        label = torch.tensor([each.label for each in self.photographs for _ in each.held_out[:PER_SET]])
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        unchanged, scores = clean.new_zeros(len(clean), CHANGES), {}
        for level in VALIDATED:
            sigma = torch.full((len(clean),), level)
            denoised = precondition(network, clean + level * noise, sigma, label, unchanged)
            mse = (denoised - clean).square().mean(dim=(1, 2, 3)) / 4  # on the [0,1] scale
            scores[f"σ {level:g}"] = float(-10 * mse.log10().mean())
        return {"PSNR": sum(scores.values()) / len(scores)} | scores


def noise_levels(random: np.random.Generator, count: int) -> np.ndarray:
    """Return σ (N,) float32 of the crops of a batch."""
    shares = np.clip((random.permutation(count) + random.random(count)) / count, 1e-5, 1 - 1e-5)
    normal = [NormalDist(LEVEL_MEAN, LEVEL_DEVIATION).inv_cdf(share) for share in shares]
    low, high = np.log(RANGE)
    uniform = random.uniform(float(low), float(high), count)
    return np.exp(np.where(random.random(count) < UNIFORM, uniform, normal)).astype(np.float32)
