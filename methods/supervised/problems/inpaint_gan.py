"""Inpainting that looks right: a critic of the features of holes, beside the errors of pixels and features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from bigprior.networks import GatedUNet
from bigprior.priors.critic import Critic, feature_distance, hinge, mean_at, unit_features
from bigprior.training import Problem, Recipe
from datasets.training_images import TrainingImages
from methods.supervised._gated import inpaint, untrained
from methods.supervised.problems.inpaint import (
    FLOOR,
    Holed,
    Inpainting,
    hole_error,
    windows,
)


class Rivals(nn.Module):
    """The inpainting network, and the critic that it is trained against."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = untrained()
        self.critic = Critic()


@dataclass(frozen=True)
class AdversarialInpainting(Problem[Rivals, Holed]):
    """log(MSE in the hole) + w · the perceptual distance + v · the network's share of a hinge game with the critic.

    The critic C loses mean relu(1 − C(x)) + mean relu(1 + C(x̂)) over places in holes, the network −mean C(x̂), both
    averaged over layers. The first two terms alone are least for a fill that is the mean of all plausible ones in
    pixels and in features: it is smooth, and no photograph. Meant to begin with weights of `Inpainting` (`--start`).

    Args:
        perceptual: w.
        adversarial: v.
    """

    images: TrainingImages
    perceptual: float = 8.0
    adversarial: float = 3.0
    selection: ClassVar[str] = "perceptual"

    def network(self) -> Rivals:
        return Rivals()

    def kept(self, network: Rivals) -> GatedUNet:
        return network.unet

    def batch(self, random: np.random.Generator, recipe: Recipe) -> Holed:
        return Inpainting(self.images).batch(random, recipe)

    def loss(self, network: Rivals, batch: Holed, progress: float) -> Tensor:
        restored = inpaint(network.unet, batch.clean, batch.mask).float()
        pixels = torch.log(hole_error(restored, batch.clean, batch.mask) + FLOOR).mean()
        hole = windows(1 - batch.mask, batch.corner)
        with torch.no_grad():
            real = unit_features(windows(batch.clean, batch.corner))
        fake = unit_features(windows(restored, batch.corner))
        perceptual = feature_distance(fake, real)
        # The critic learns from fills that do not move, the network from a critic that does not move.
        critic = hinge(network.critic(real), network.critic([f.detach() for f in fake]), hole)
        still = {name: weight.detach() for name, weight in network.critic.named_parameters()}
        approval = mean_at(functional_call(network.critic, still, (fake,)), hole)
        return pixels + self.perceptual * perceptual - self.adversarial * approval + critic

    def validate(self, network: Rivals) -> dict[str, float]:
        """See `Inpainting.validate`."""
        return Inpainting(self.images).validate(network.unet)
