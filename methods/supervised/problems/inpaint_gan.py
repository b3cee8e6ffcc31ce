"""Inpainting that looks right: a critic of the features of holes, beside the errors of pixels and features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import adaptive_avg_pool2d, normalize, relu

from bigprior.networks import GatedUNet
from bigprior.priors.perceptual import vgg16_layers
from bigprior.training import Problem, Recipe
from datasets.training_images import TrainingImages
from methods.supervised._gated import inpaint, untrained
from methods.supervised.problems.inpaint import (
    FLOOR,
    LAYERS,
    Holed,
    Inpainting,
    hole_error,
    windows,
)

CHANNELS = (64, 128, 256, 512)
"""Of relu1_2 to relu4_3 of VGG16."""
WIDTH = 96
SLOPE = 0.2


class Critic(nn.Module):
    """A score per place of each of VGG16's layers: high for photographs, low for what a network filled in.

    A. Sauer, K. Chitta, J. Müller and A. Geiger, "Projected GANs Converge Faster", NeurIPS 2021, for a critic of the
    features of a fixed network. Deviations: no random mixing of layers, two convolutions each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_head(channels) for channels in CHANNELS)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Map features (N,C_l,H_l,W_l) of unit length per place to scores (N,1,H_l,W_l)."""
        pairs = zip(self.layers, features, CHANNELS, strict=True)
        return [layer(unit * channels**0.5) for layer, unit, channels in pairs]


def _head(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, WIDTH, 1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(WIDTH, 1, 1),
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
        layers = vgg16_layers(restored.device, torch.bfloat16, LAYERS)
        hole = windows(1 - batch.mask, batch.corner)
        with torch.no_grad():
            real = [normalize(f, dim=1) for f in layers(windows(batch.clean, batch.corner))]
        fake = [normalize(f, dim=1) for f in layers(windows(restored, batch.corner))]
        distances = (f.float() - r.float() for f, r in zip(fake, real, strict=True))
        perceptual = torch.stack([d.square().sum(dim=1).mean() for d in distances]).sum()
        # The critic learns from fills that do not move, the network from a critic that does not move.
        fills = network.critic([f.detach() for f in fake])
        critic = _in_holes([relu(1 - s.float()) for s in network.critic(real)], hole)
        critic = critic + _in_holes([relu(1 + s.float()) for s in fills], hole)
        still = {name: weight.detach() for name, weight in network.critic.named_parameters()}
        approval = _in_holes(functional_call(network.critic, still, (fake,)), hole)
        return pixels + self.perceptual * perceptual - self.adversarial * approval + critic

    def validate(self, network: Rivals) -> dict[str, float]:
        """See `Inpainting.validate`."""
        return Inpainting(self.images).validate(network.unet)


def _in_holes(scores: Sequence[Tensor], hole: Tensor) -> Tensor:
    """Return the mean over layers of the mean of scores (N,1,H_l,W_l) in holes (N,1,H,W), 1 there."""
    means = []
    for score in scores:
        weight = adaptive_avg_pool2d(hole, (score.shape[-2], score.shape[-1]))
        means.append((score.float() * weight).sum() / weight.sum())
    return torch.stack(means).mean()
