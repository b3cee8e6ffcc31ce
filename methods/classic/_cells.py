"""What a JPEG says of an image: its luma's block DCT lies in cells around that of the decoded image."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor
from torch.nn.functional import pad

from bigprior.domains import Domain, LumaChroma
from bigprior.fusion import Restoration
from datasets.compression import Jpeg
from datasets.observation import Observation

SIDE = 8


@lru_cache(maxsize=8)
def _matrix(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the orthonormal DCT of 8 numbers, one basis vector per row."""
    return torch.from_numpy(dct(np.eye(SIDE), axis=0, norm="ortho")).to(device=device, dtype=dtype)


def block_dct(x: Tensor) -> Tensor:
    """Return the orthonormal DCT of every 8×8 block of x (…,H,W), sides multiples of 8, each in the block's place."""
    matrix = _matrix(x.dtype, x.device)
    return _along_rows(_along_rows(x, matrix).mT, matrix).mT


def block_idct(c: Tensor) -> Tensor:
    """Return the inverse of `block_dct`."""
    matrix = _matrix(c.dtype, c.device).mT
    return _along_rows(_along_rows(c, matrix).mT, matrix).mT


def _along_rows(x: Tensor, matrix: Tensor) -> Tensor:
    return (x.unflatten(-1, (-1, SIDE)) @ matrix.mT).flatten(-2)


def whole_blocks(x: Tensor) -> Tensor:
    """Return x (N,C,H,W) continued to multiples of 8 below and on the right by its last row and column."""
    h, w = x.shape[-2:]
    return pad(x, (0, -w % SIDE, 0, -h % SIDE), mode="replicate")


class LumaBlocks(Domain):
    """The DCT of the 8×8 blocks of luma, and the colour differences B−Y and R−Y pixel by pixel: (N,C,⌈H⌉,⌈W⌉).

    ⌈·⌉ is the next multiple of 8: an image that ends within a block is continued by its last row and column. A gray
    image is luma itself. There is no φ per pixel.
    """

    name: ClassVar[str] = "block DCT of luma, and chroma"

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size

    def analysis(self, image: Tensor) -> Tensor:
        whole = whole_blocks(image if image.shape[1] == 1 else LumaChroma().analysis(image))
        return torch.cat([block_dct(whole[:, :1]), whole[:, 1:]], dim=1)

    def synthesis(self, coefficients: Tensor) -> Tensor:
        h, w = self._size
        whole = torch.cat([block_idct(coefficients[:, :1]), coefficients[:, 1:]], dim=1)[..., :h, :w]
        return whole if whole.shape[1] == 1 else LumaChroma().synthesis(whole)


def half_cells(operator: Jpeg, like: Tensor) -> Tensor:
    """Return half the quantisation step of luma, on the [0,1] scale, for every coefficient of `like` (N,C,⌈H⌉,⌈W⌉).

    Returns: (1,1,⌈H⌉,⌈W⌉).
    """
    step = torch.from_numpy(operator.tables()[0]).to(like) / 510
    return step.repeat(like.shape[-2] // SIDE, like.shape[-1] // SIDE)[None, None]


def within_cells(observation: Observation, prior: Tensor, share: float, chroma: float) -> Restoration:
    """Return the image whose luma coefficients are those in the cells nearest to the prior's.

    A cell is y's coefficient c plus and minus `share` of half a quantisation step h. The nearest point to g in it is
    (1 − φ) c + φ g with φ = min(1, h/|g − c|): 1 inside the cell, less the farther g is outside.

    Args:
        prior: g in the coordinates of `LumaBlocks`.
        share: of the half step; 1 is all that the file leaves open.
        chroma: φ of the colour differences.
    """
    y = observation.y
    domain = LumaBlocks((y.shape[-2], y.shape[-1]))
    f = domain.analysis(y)
    phi = torch.full_like(f, chroma)
    away = (prior[:, :1] - f[:, :1]).abs()
    half = share * half_cells(jpeg(observation), f)
    phi[:, :1] = torch.where(away > half, half / away.clamp(min=torch.finfo(y.dtype).tiny), 1)
    return Restoration.fused(f, prior, phi, domain)


def jpeg(observation: Observation) -> Jpeg:
    """Return the operator of an observation.

    Raises:
        ValueError: it is no JPEG compression.
    """
    operator = observation.operator
    if not isinstance(operator, Jpeg):
        raise ValueError(f"made for the operator Jpeg, not for {type(operator).__name__}")
    return operator
