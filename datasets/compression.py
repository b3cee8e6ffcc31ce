"""JPEG compression: what a baseline encoder leaves of an image."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from datasets.noise import NoNoise
from datasets.operators import Operator
from datasets.task import Problem


@dataclass(frozen=True)
class Jpeg(Operator):
    """y = decode(encode(x)): x clipped and rounded to 8 bit, then libjpeg's baseline encoder, by Pillow.

    The quantisation tables are the standard's (ITU-T T.81, Annex K), scaled for the quality as libjpeg does: by 50/q
    under 50 and 2 − q/50 from there on. Colour images are Y'CbCr with the chroma at half the size in both directions
    (4:2:0); gray images have luma alone. Not linear, and no derivative: an adjoint is not defined. The lift is y.

    Attributes:
        quality: q, 1 to 100.
    """

    title: ClassVar[str] = "JPEG compression"
    linear: ClassVar[bool] = False

    quality: int = 10

    def forward(self, x: Tensor) -> Tensor:
        levels = (x.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        decoded = np.stack([self._coded(image) for image in levels])
        return torch.from_numpy(decoded).to(x) / 255

    def adjoint(self, y: Tensor) -> Tensor:
        raise NotImplementedError("JPEG compression has no adjoint: it is not linear and has no derivative")

    def lift(self, y: Tensor) -> Tensor:
        return y

    def tables(self) -> list[NDArray[np.int64]]:
        """Return the quantisation tables (8,8) of luma and chroma, rows of vertical frequencies, from the encoder."""
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG", quality=self.quality)
        found = Image.open(file).quantization  # type: ignore[attr-defined]
        return [np.array(found[number]).reshape(8, 8) for number in sorted(found)]

    def _coded(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the decoded levels (C,H,W) of one image."""
        file = io.BytesIO()
        gray = len(levels) == 1
        picture = Image.fromarray(levels[0] if gray else np.ascontiguousarray(levels.transpose(1, 2, 0)))
        picture.save(file, "JPEG", quality=self.quality, **({} if gray else {"subsampling": "4:2:0"}))
        decoded = np.array(Image.open(file))
        return decoded[None] if gray else decoded.transpose(2, 0, 1)


DEBLOCKING = Problem(Jpeg, NoNoise)
