"""The perceptual distance of the inversions: features of VGG16."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from bigprior.imagenet_features import ensure_features

Features = Callable[[Tensor], Tensor]
"""Images (N,3,H,W) in 0..1 to features (N,...)."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's."""
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
"""Up to the third of the fourth block (relu4_3), by their position in torchvision's `features`."""
POOLED_BEFORE = (5, 10, 17)
RELU3_3 = 2
"""The index among the layers of the one that the inversions use."""


Layers = Callable[[Tensor], list[Tensor]]
"""Images (N,3,H,W) in 0..1 to the features of several layers."""


@cache
def vgg16(device: torch.device, dtype: torch.dtype) -> Features:
    """Return the map from images to VGG16's relu3_3, (N,256,H/4,W/4), for images with sides of 4 or more.

    K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015.

    Raises:
        SuiteError: the weights are unavailable; says the command that fetches them.
    """
    layers = vgg16_layers(device, dtype, RELU3_3 + 1)
    return lambda image: layers(image)[RELU3_3]


@cache
def vgg16_layers(device: torch.device, dtype: torch.dtype, count: int) -> Layers:
    """Return the map from images to the first `count` of VGG16's relu1_2, relu2_2, relu3_3 and relu4_3. See `vgg16`."""
    tensors = ensure_features("vgg16")
    weights = {
        position: (
            tensors[f"features.{position}.weight"].to(device, dtype).contiguous(memory_format=torch.channels_last),
            tensors[f"features.{position}.bias"].to(device, dtype),
        )
        for position in CONVOLUTIONS
    }
    mean, deviation = (torch.tensor(v, device=device, dtype=dtype).view(3, 1, 1) for v in (MEAN, DEVIATION))

    def features(image: Tensor) -> list[Tensor]:
        x = ((image.to(dtype) - mean) / deviation).contiguous(memory_format=torch.channels_last)
        found = []
        for position, (weight, bias) in weights.items():
            if position in POOLED_BEFORE:
                found.append(x)
                if len(found) == count:
                    return found
                x = F.max_pool2d(x, 2)
            x = F.conv2d(x, weight, bias, padding=1).relu_()
        return [*found, x]

    return features
