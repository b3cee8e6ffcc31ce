"""Colour from luma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from datasets.errors import SuiteError
from datasets.noise import NoNoise
from datasets.observation import Observation, Truth
from datasets.operators import Luma
from datasets.task import COLORIZATION, Key, Problem, Task


@dataclass(frozen=True)
class Colorize(Task):
    """y = ⌊255 (.299 R + .587 G + .114 B)⌋ / 255, computed in float32: the released inputs bit for bit.

    Raises:
        SuiteError: the image is grayscale.
    """

    name: ClassVar[str] = "colorize"
    summary: ClassVar[str] = "the colour of a grayscale image"
    problem: ClassVar[Problem] = COLORIZATION
    metrics: ClassVar[tuple[str, ...]] = ("auc", "psnr", "ssim", "lpips", "chroma_error")
    needs_colour: ClassVar[bool] = True

    def degrade(self, clean: Tensor, key: Key) -> Observation:
        if clean.shape[0] != 3:
            raise SuiteError(f"image '{key.image}' is grayscale: colorize needs colour images.")
        x = clean.unsqueeze(0)
        luma = Luma().forward(x.float())
        y = ((luma * 255).floor().clamp_(0, 255) / 255).to(x.dtype)
        return Observation(y, Luma(), NoNoise(), Truth(x, NoNoise()))
