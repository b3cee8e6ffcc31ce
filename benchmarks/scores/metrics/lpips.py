"""Learned perceptual image patch similarity."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.scores.metric import Metric, image_mean
from bigprior import imagenet_features
from bigprior.checkpoints import read_state_dict
from datasets.errors import SuiteError

MINIMAL_SIDE = 31
"""Smaller images have nothing left at the third convolution."""

STRIDES_AND_PADDINGS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
"""Of AlexNet's convolutions, by their position in torchvision's `features`."""
POOLED_BEFORE = (3, 6)

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""ImageNet's mean and standard deviation on the scale −1 to 1; version 0.0 left this normalisation out."""


@dataclass(frozen=True)
class LPIPS(Metric):
    """Σ_l mean_hw Σ_c w_lc (x̂_lc − ŷ_lc)², x̂_l the output of AlexNet's l-th rectified convolution, of unit length.

    R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang, "The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric", CVPR 2018. The weights w are those of the `lpips` package, version 0.1 or 0.0; AlexNet's come
    from `bigprior.imagenet_features`. A gray image is repeated to three channels. Computed in the dtype of the image.

    NaN for an image with a side under 31.

    Args:
        version: of the weights, 0.1 or 0.0; version 0.0 does not normalise its input.

    Raises:
        SuiteError: from `prepare`: no weights (`unavailable` says so beforehand).
    """

    name: ClassVar[str] = "lpips"
    title: ClassVar[str] = "LPIPS"
    higher_is_better: ClassVar[bool] = False
    decimals: ClassVar[int] = 4
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    version: Literal["0.0", "0.1"] = "0.1"

    @property
    def signature(self) -> str:
        return f"lpips|alex|v{self.version}"

    def unavailable(self) -> str | None:
        try:
            linear_file(self.version)
            imagenet_features.ensure_features("alexnet")
        except SuiteError as error:
            return str(error)
        return None

    def weights(self) -> tuple[Path, ...]:
        files = linear_file(self.version), imagenet_features.cached_file("alexnet")
        return tuple(file for file in files if file.is_file())

    def prepare(self, reference: Tensor, mask: Tensor) -> list[Tensor] | None:
        if min(reference.shape[-2:]) < MINIMAL_SIDE:
            return None
        net = network(self.version, reference.device, reference.dtype)
        return [-(features / length) for features, length in net.layers(reference)]

    def score(self, prepared: list[Tensor] | None, image: Tensor) -> Tensor:
        if prepared is None:
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        net = network(self.version, image.device, image.dtype)
        means = []
        for (features, length), minus_reference, weight in zip(net.layers(image), prepared, net.linear, strict=True):
            # The difference of the features and not of products of them: it is exactly 0 for equal images.
            difference = torch.addcdiv(minus_reference, features, length)
            means.append(image_mean(difference.square_() @ weight))
        return torch.stack(means).sum(dim=0)


@dataclass(frozen=True)
class Network:
    """AlexNet's convolutions with the weights of the layers' channels.

    Attributes:
        convolutions: weight (O,I,k,k) and bias (O,), by position in torchvision's `features`.
        linear: w_l (C_l,), in the order of the layers.
        normalised: whether the input is normalised with ImageNet's mean and standard deviation.
    """

    convolutions: dict[int, tuple[Tensor, Tensor]]
    linear: list[Tensor]
    normalised: bool

    def layers(self, image: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield x_l (N,H_l,W_l,C_l) and its length (N,H_l,W_l,1) per pixel, of images (N,C,H,W) in [0,1]."""
        x = 2 * image.expand(-1, 3, -1, -1) - 1
        if self.normalised:
            shift, scale = x.new_tensor(SHIFT), x.new_tensor(SCALE)
            x = (x - shift[:, None, None]) / scale[:, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for position, (weight, bias) in self.convolutions.items():
            stride, padding = STRIDES_AND_PADDINGS[position]
            if position in POOLED_BEFORE:
                x = F.max_pool2d(x, kernel_size=3, stride=2)
            x = F.conv2d(x, weight, bias, stride=stride, padding=padding).relu_()
            channels_last = x.permute(0, 2, 3, 1)
            yield channels_last, torch.linalg.vector_norm(channels_last, dim=-1, keepdim=True) + 1e-10


@cache
def network(version: str, device: torch.device, dtype: torch.dtype) -> Network:
    """Load the network once per process, device and dtype.

    Raises:
        SuiteError: the weights are unavailable.
    """
    features = imagenet_features.ensure_features("alexnet")
    convolutions = {}
    for position in STRIDES_AND_PADDINGS:
        weight, bias = (features[f"features.{position}.{kind}"].to(device, dtype) for kind in ("weight", "bias"))
        convolutions[position] = weight.contiguous(memory_format=torch.channels_last), bias
    linear = read_state_dict(linear_file(version))
    weights = [linear[f"lin{n}.model.1.weight"].flatten().to(device, dtype) for n in range(len(convolutions))]
    return Network(convolutions, weights, normalised=version != "0.0")


def linear_file(version: str) -> Path:
    """Return the file of the weights w in the `lpips` package, which is not imported for it.

    Raises:
        SuiteError: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec("lpips")
    file = Path(spec.origin or "").parent / "weights" / f"v{version}" / "alex.pth" if spec else None
    if file is None or not file.is_file():
        raise SuiteError("the package that holds the weights of LPIPS is missing or incomplete: pip install lpips")
    return file
