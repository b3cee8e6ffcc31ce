"""Structural similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.scores.metric import Metric, image_mean
from benchmarks.scores.metrics._view import MOST_CROPPED, Channel, channel_word, viewed
from datasets.spec import Within, check_ranges
from methods.classic.kernels import available

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


@dataclass(frozen=True)
class Window:
    """A separable window: its one-dimensional weights (they add to 1) and the factor n/(n − 1) of sample covariance."""

    signature: str
    weights: tuple[float, ...]
    covariance_factor: float = 1.0

    @property
    def radius(self) -> int:
        """Pixels on each side of the centre: the border that has no whole window."""
        return len(self.weights) // 2

    def mean(self, planes: Tensor) -> Tensor:
        """Return the weighted local means (..., H − 2r, W − 2r) of planes (..., H, W), whole windows only.

        Shifted sums and not a convolution: on a CPU float64 convolutions of few channels are 30 times slower.
        """
        for dim in (-2, -1):
            length = planes.shape[dim] - 2 * self.radius
            total = planes.narrow(dim, 0, length) * self.weights[0]
            for shift, weight in enumerate(self.weights[1:], start=1):
                total.add_(planes.narrow(dim, shift, length), alpha=weight)
            planes = total
        return planes


def _gaussian(sigma: float, radius: int) -> tuple[float, ...]:
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    bell = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return tuple((bell / bell.sum()).tolist())


WindowName = Literal["gaussian", "uniform"]
WINDOWS: dict[WindowName, Window] = {
    "gaussian": Window("gauss11-valid", _gaussian(1.5, 5)),
    "uniform": Window("uniform7-sample", (1 / 7,) * 7, covariance_factor=49 / 48),
}


class Moments(NamedTuple):
    """The reference's levels with their local means and variances, all (N,C,...), the moments float64."""

    levels: Tensor
    mean: Tensor
    variance: Tensor


@dataclass(frozen=True)
class SSIM(Metric):
    """Mean over the valid region and the channels of the local structural similarity of the 8-bit images,

        (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)),   C₁ = (0.01·255)², C₂ = (0.03·255)²,

    with local means, variances and covariance under the window: `gaussian`, 11×11, σ 1.5, population covariance
    (Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 2004); `uniform`, 7×7, sample covariance (scikit-image's default). Only windows
    that lie inside the image count. Computed in float64: in float32 flat regions lose the fifth digit.

    NaN for an image smaller than the window.

    Args:
        window: gaussian or uniform.
        channel: rgb, the mean over all channels; y, luma as MATLAB's rgb2ycbcr has it, rounded to 8 bit. A gray image
            is taken as luma itself.
        crop: pixels cut off at each border before scoring.
    """

    name: ClassVar[str] = "ssim"
    title: ClassVar[str] = "SSIM"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 4
    limits: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    window: WindowName = "gaussian"
    channel: Channel = "rgb"
    crop: Annotated[int, Within(0, MOST_CROPPED)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def signature(self) -> str:
        # The order of the words differs between the windows as their conventions do: valid region, covariance.
        crop = f"|crop{self.crop}" if self.crop else ""
        return f"ssim|{channel_word(self.channel)}|{WINDOWS[self.window].signature}|u8{crop}"

    def prepare(self, reference: Tensor, mask: Tensor) -> Moments | None:
        return moments(viewed(reference, self.channel, self.crop), WINDOWS[self.window])

    def score(self, prepared: Moments | None, image: Tensor) -> Tensor:
        if prepared is None:
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        return image_mean(ssim_map(prepared, viewed(image, self.channel, self.crop), WINDOWS[self.window]))


def moments(reference: Tensor, window: Window) -> Moments | None:
    """Return the local moments of a reference given as 8-bit levels, or None if it is smaller than the window."""
    if min(reference.shape[-2:]) < len(window.weights):
        return None
    if available(reference):
        return _compiled_moments(reference, window)
    y = reference.double()
    mean, square = window.mean(torch.stack([y, y * y]))
    return Moments(y, mean, square.sub_(mean * mean).mul_(window.covariance_factor))


def _compiled_moments(reference: Tensor, window: Window) -> Moments:
    from benchmarks.scores import kernels

    *outer, height, width = reference.shape
    shape = (*outer, height - 2 * window.radius, width - 2 * window.radius)
    found = Moments(reference, reference.new_empty(shape, dtype=torch.float64),
                    reference.new_empty(shape, dtype=torch.float64))  # fmt: skip
    y, mean, variance = map(_planes, found)
    kernels.moments(y, np.array(window.weights), window.covariance_factor, mean, variance)
    return found


def _planes(image: Tensor) -> NDArray[Any]:
    """Return an image (N,C,H,W) as planes (NC,H,W), the same memory if they lie one after the other."""
    planes: NDArray[Any] = image.reshape(-1, *image.shape[-2:]).contiguous().numpy()
    return planes


def ssim_map(reference: Moments, image: Tensor, window: Window) -> Tensor:
    """Return the local similarity (N,C,H − 2r,W − 2r) of an image given as 8-bit levels."""
    if available(image, *reference):
        return _compiled_map(reference, image, window)
    y, mean_y, variance_y = reference
    x = image.double()
    mean_x, variance_x, covariance = window.mean(torch.stack([x, x * x, x * y]))
    mean_xx, mean_xy = mean_x * mean_x, mean_x * mean_y
    variance_x.sub_(mean_xx).mul_(window.covariance_factor)
    covariance.sub_(mean_xy).mul_(window.covariance_factor)
    top = mean_xy.mul_(2).add_(C1).mul_(covariance.mul_(2).add_(C2))
    bottom = mean_xx.addcmul_(mean_y, mean_y).add_(C1).mul_(variance_x.add_(variance_y).add_(C2))
    similarity: Tensor = top.div_(bottom)
    return similarity


def _compiled_map(reference: Moments, image: Tensor, window: Window) -> Tensor:
    from benchmarks.scores import kernels

    out = torch.empty_like(reference.mean)
    y, mean, variance = map(_planes, reference)
    weights, factor = np.array(window.weights), window.covariance_factor
    kernels.similarities(_planes(image), y, mean, variance, weights, factor, C1, C2, _planes(out))
    return out
