"""A φ-network that says how much a denoiser relies on anything but the pixel itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bigprior.phi.network import PhiConfig, PhiNetwork
from bigprior.training import Problem, Recipe
from datasets.observation import Observation
from datasets.operators import Identity
from datasets.training_images import TrainingImages

LEAST = 0.02
"""Least φ that y is divided by: where g would be what is left of D after 98% of y."""
SIGMA_MAX = 55 / 255
SIGMA_ERROR = 0.03
"""Relative standard deviation of the σ that the network is told in training: in use it may be an estimate."""
STEP = 0.1
"""Step of the finite difference, relative to σ."""
LEVELS = (15, 25, 50)
VALIDATED, SIDE = 4, 128


def without_own(y: Tensor, restored: Tensor, phi: Tensor) -> Tensor:
    """Return g with restored = (1 − φ) y + φ g: what is left of a restoration without each pixel's own datum.

    For φ_i = 1 − ∂D_i/∂y_i, g_i does not depend on y_i to first order. Under a Gaussian posterior it is exactly the
    mean of x_i given all y_j, j ≠ i, and φ_i = σ²/(σ² + s_i²) with its variance s_i².

    Args:
        y, restored: (N,C,H,W).
        phi: (N,1,H,W), at least `LEAST`.
    """
    return y + (restored - y) / phi


@dataclass(frozen=True)
class Probed:
    """Noisy crops y (N,3,S,S), their restoration D, σ (N,), and one noisy look (N,1,S,S) at 1 − ∂D_i/∂y_i."""

    noisy: Tensor
    restored: Tensor
    sigma: Tensor
    target: Tensor


class ImpliedPhi(Problem[PhiNetwork, Probed]):
    """The mean of (φ_i − t_i)², t_i = 1 − mean over channels of b_i (D(y + εb) − D(y − εb))_i/2ε, b of random signs.

    E[t_i] is 1 − ∂D_i/∂y_i, so the minimiser is what the network can know of it. That x̂ is good is the denoiser's
    matter: with g of `without_own`, x̂ = D whatever φ is. A loss on x̂ would leave φ undetermined; this one gives it its
    meaning.

    Args:
        config: of the network.
        images: to learn from.
        prior: Observation (blind) → D(y).
    """

    selection: ClassVar[str] = "explained"

    def __init__(self, config: PhiConfig, images: TrainingImages, prior: Callable[[Observation], Tensor]) -> None:
        self.config, self.images, self.prior = config, images, prior

    def network(self) -> PhiNetwork:
        return PhiNetwork(self.config)

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Probed:
        clean = self.images.crops(random, recipe.batch, recipe.size)
        sigma = torch.from_numpy(random.uniform(0.5 / 255, SIGMA_MAX, len(clean)).astype(np.float32))
        noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
        signs = torch.from_numpy(random.choice(np.array([-1, 1], dtype=np.float32), clean.shape))
        told = sigma * torch.from_numpy((1 + SIGMA_ERROR * random.standard_normal(len(clean))).astype(np.float32))
        return self.probe(clean + sigma.view(-1, 1, 1, 1) * noise, sigma, told, signs)

    def probe(self, noisy: Tensor, sigma: Tensor, told: Tensor, signs: Tensor) -> Probed:
        """Restore, and look at the derivative along one direction of signs."""
        step = (STEP * sigma).view(-1, 1, 1, 1) * signs
        looks = torch.cat([noisy, noisy + step, noisy - step])
        with torch.autocast(noisy.device.type, enabled=False):
            # The difference of two restorations would drown in the rounding of half precision.
            restored, above, below = self.prior(blind(looks)).chunk(3)
        target = 1 - ((above - below) / (2 * step)).mean(dim=1, keepdim=True)
        return Probed(noisy, restored, told, target)

    def loss(self, network: PhiNetwork, batch: Probed, progress: float) -> Tensor:
        return (self.reliance(network, batch) - batch.target).square().mean()

    @staticmethod
    def reliance(network: PhiNetwork, batch: Probed) -> Tensor:
        """Return φ (N,1,S,S)."""
        return network(batch.noisy, batch.restored, torch.ones_like(batch.target), batch.sigma).float()

    @torch.no_grad()
    def validate(self, network: PhiNetwork) -> dict[str, float]:
        """On held-out crops: the share of the variance of t (noise included) that φ explains, and means of both."""
        generator = torch.Generator().manual_seed(0)
        clean = torch.cat([torch.stack([_central(x) for x in s[:VALIDATED]]) for s in self.images.validation()])
        scores: dict[str, float] = {}
        pairs = []
        for level in LEVELS:
            sigma = torch.full((len(clean),), level / 255)
            noisy = clean + level / 255 * torch.randn(clean.shape, generator=generator)
            signs = torch.randint(2, clean.shape, generator=generator) * 2.0 - 1
            batch = self.probe(noisy, sigma, sigma, signs)
            phi = self.reliance(network, batch)
            pairs.append((phi, batch.target))
            scores[f"φ at {level}"], scores[f"implied at {level}"] = float(phi.mean()), float(batch.target.mean())
        phi, target = (torch.cat(values) for values in zip(*pairs, strict=True))
        return {"explained": 1 - float((phi - target).square().mean() / target.var())} | scores


def blind(y: Tensor) -> Observation:
    """An image with noise of unknown level."""
    return Observation(y, Identity(), None)


def _central(image: Tensor) -> Tensor:
    top, left = ((length - SIDE) // 2 for length in image.shape[-2:])
    return image[:, top : top + SIDE, left : left + SIDE]
