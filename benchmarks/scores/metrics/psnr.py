"""Peak signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from benchmarks.scores.metric import Metric, image_mean, levels
from benchmarks.scores.metrics._view import MOST_CROPPED, Channel, channel_word, cropped, viewed
from datasets.spec import Within, check_ranges
from methods.classic.kernels import available


@dataclass(frozen=True)
class PSNR(Metric):
    """10 log₁₀(255² / MSE), MSE over all pixels and channels of the 8-bit images. +inf where they are equal.

    A table's mean is the mean over images of these values, not the PSNR of the mean MSE. NaN if cropping leaves
    nothing.

    Args:
        channel: rgb, all channels; y, luma as MATLAB's rgb2ycbcr has it, rounded to 8 bit. A gray image is taken as
            luma itself.
        crop: pixels cut off at each border before scoring.
    """

    name: ClassVar[str] = "psnr"
    title: ClassVar[str] = "PSNR"
    unit: ClassVar[str] = "dB"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 2
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    near_exact: ClassVar[float | None] = 60.0

    channel: Channel = "rgb"
    crop: Annotated[int, Within(0, MOST_CROPPED)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def signature(self) -> str:
        return f"psnr|{channel_word(self.channel)}|u8|crop{self.crop}"

    def prepare(self, reference: Tensor, mask: Tensor) -> Tensor:
        # Luma is worth computing once; channels as they are cost less than to keep them beside the reference.
        return viewed(reference, self.channel, self.crop) if self.channel == "y" else cropped(reference, self.crop)

    def score(self, prepared: Tensor, image: Tensor) -> Tensor:
        if not prepared.numel():
            return image.new_full((len(image),), torch.nan, dtype=torch.float64)
        if self.channel == "y":
            return decibel(image_mean((viewed(image, self.channel, self.crop) - prepared).square()))
        inside = cropped(image, self.crop)
        if available(prepared, inside):
            return decibel(_compiled_mean(prepared, inside))
        return decibel(image_mean((levels(inside) - levels(prepared)).square()))


def _compiled_mean(reference: Tensor, image: Tensor) -> Tensor:
    """Return the mean squared difference (N,) of the levels of images (N,C,H,W)."""
    from benchmarks.scores.kernels import squared_error

    pairs = zip(reference.flatten(1).numpy(), image.flatten(1).numpy(), strict=True)
    return torch.tensor([squared_error(*pair) for pair in pairs], dtype=torch.float64) / image[0].numel()


def decibel(mse: Tensor) -> Tensor:
    """Return the PSNR that belongs to a mean squared error on the scale 0 to 255; +inf for 0."""
    return 10 * torch.log10(255**2 / mse)
