"""Distances and a critic of the features of VGG16, for networks that must look right and not only be near."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, normalize, relu

from bigprior.priors.perceptual import vgg16_layers

CHANNELS = (64, 128, 256, 512)
"""Of relu1_2 to relu4_3 of VGG16."""
WIDTH = 96
SLOPE = 0.2


class Critic(nn.Module):
    """A score per place of each of VGG16's layers: high for photographs, low for what a network made.

    A. Sauer, K. Chitta, J. Müller and A. Geiger, "Projected GANs Converge Faster", NeurIPS 2021, for a critic of the
    features of a fixed network. Deviations: no random mixing of layers, two convolutions each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, WIDTH, 1),
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(WIDTH, 1, 1),
            )
            for channels in CHANNELS
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Map features (N,C_l,H_l,W_l) of unit length per place to scores (N,1,H_l,W_l)."""
        pairs = zip(self.layers, features, CHANNELS, strict=True)
        return [layer(unit * channels**0.5) for layer, unit, channels in pairs]


def unit_features(image: Tensor) -> list[Tensor]:
    """Return relu1_2 to relu4_3 of VGG16 of images (N,3,H,W) in [0,1], of unit length per place, in bfloat16."""
    return [normalize(f, dim=1) for f in vgg16_layers(image.device, torch.bfloat16, len(CHANNELS))(image)]


def feature_distance(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Return Σ over layers of the mean over images and places of ‖f − f*‖², f and f* of unit length per place.

    R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, unweighted.
    """
    differences = (f.float() - w.float() for f, w in zip(found, wanted, strict=True))
    return torch.stack([d.square().sum(dim=1).mean() for d in differences]).sum()


def hinge(real: Sequence[Tensor], fake: Sequence[Tensor], where: Tensor) -> Tensor:
    """Return the critic's loss mean relu(1 − C(x)) + mean relu(1 + C(x̂)) of its scores, where a map (N,1,H,W) is 1."""
    return mean_at([relu(1 - s.float()) for s in real], where) + mean_at([relu(1 + s.float()) for s in fake], where)


def mean_at(scores: Sequence[Tensor], where: Tensor) -> Tensor:
    """Return the mean over layers of the mean of scores (N,1,H_l,W_l) where a map (N,1,H,W) is 1."""
    means = []
    for score in scores:
        weight = adaptive_avg_pool2d(where, (score.shape[-2], score.shape[-1]))
        means.append((score.float() * weight).sum() / weight.sum())
    return torch.stack(means).mean()
