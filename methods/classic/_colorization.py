"""What the colorization methods share: the fusion in luma and chroma, and the look-up of a fitted chroma table."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from bigprior.domains import LumaChroma
from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.task import COLORIZATION, Problem
from methods.base import Method

TABLES = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Colorization(Method):
    """Colorization as a fusion in (Y, B−Y, R−Y): φ = 0 on luma, 1 on chroma.

    f = (y, 0, 0), the observed luma with no colour; g = (y, chroma guess). The luma of the image is y; since the
    image is not clipped, this holds even where the guess leaves the RGB cube. A subclass gives the guess.

    Raises:
        ValueError: (from `restore`) the observation has three channels: it already has colour.
    """

    problems: ClassVar[tuple[Problem, ...]] = (COLORIZATION,)
    decoupled: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    @abstractmethod
    def chroma(self, luma: Tensor) -> Tensor:
        """Return the guess (N,2,H,W), (B−Y, R−Y), for a luma image (N,1,H,W) in [0,1]."""

    def restore(self, observation: Observation) -> Restoration:
        luma = observation.y
        if luma.shape[1] != 1:
            raise ValueError("colorization needs a luma observation of one channel, got three")
        guess = self.chroma(luma)
        fidelity = torch.cat([luma, torch.zeros_like(guess)], dim=1)
        phi = luma.new_tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1).expand_as(fidelity)
        return Restoration.fused(fidelity, torch.cat([luma, guess], dim=1), phi, LumaChroma())


@dataclass(frozen=True)
class TabulatedChroma(Colorization):
    """Chroma looked up in a table fitted by `python -m methods.classic.fit_chroma` (see `tables/README.md`).

    Args:
        trained_on: the training images of one LSUN set, or lsun: those of all three.
    """

    statistic: ClassVar[str]
    """Key of the table: "constant" (1,1), "luma" (L,1) or "luma_row" (L,R)."""

    trained_on: Literal["lsun", "lsun-bedroom", "lsun-church", "lsun-conference"] = "lsun"

    def weights(self) -> tuple[Path, ...]:
        return (TABLES / f"{self.trained_on}.json",)

    def chroma(self, luma: Tensor) -> Tensor:
        return look_up(load_table(self.trained_on, self.statistic).to(luma), luma)


@cache
def load_table(trained_on: str, statistic: str) -> Tensor:
    """Return a fitted table (2,L,R) of (B−Y, R−Y), float64."""
    return torch.tensor(json.loads((TABLES / f"{trained_on}.json").read_text("utf-8"))[statistic], dtype=torch.float64)


def look_up(table: Tensor, luma: Tensor) -> Tensor:
    """Interpolate a table of chroma bilinearly over luma and relative row.

    Bins are of equal width, values belong to their centres, and beyond the outer centres the table is constant. The
    256 byte levels and the H rows are spread evenly: level k sits at (k + ½)/256, row i at (i + ½)/H.

    Args:
        table: (2,L,R), L bins of luma by R bins of row; either may be 1 (no dependence).
        luma: (N,1,H,W) in [0,1].

    Returns:
        (N,2,H,W).
    """
    n, _, height, _ = luma.shape
    level = (luma[:, 0] * 255 + 0.5) / 256
    row = ((torch.arange(height, dtype=luma.dtype, device=luma.device) + 0.5) / height).view(1, height, 1)
    where = torch.stack([row.expand_as(level), level], dim=-1) * 2 - 1
    return F.grid_sample(table.expand(n, -1, -1, -1), where, padding_mode="border", align_corners=False)
