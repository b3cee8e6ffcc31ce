"""Real noise: crops of photographs of indoor scenes, noisy and as the mean of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from datasets.pairs import PairedSet
from datasets.spec import Within, canonical

PAIRS = 100


@dataclass(frozen=True)
class PolyU(PairedSet):
    """Pairs of 512×512 crops by several cameras at several settings; the mean photograph is that of some 500 shots.

    The crops are stored as JPEGs of quality 75 with chroma at half the size, the noisy ones too. What that leaves of
    the noise is smooth: neighbouring pixels of the first 20 pairs correlate by 0.5 to 0.9, and an estimate of σ that
    takes the noise for white finds a tenth of its root mean square at most. Tell the methods a level, as in
    `bm3d[sigma=10]`.

    Args:
        pairs: how many, from the first by name. The first 20 are of one camera, a Canon 5D Mark II.
    """

    name: ClassVar[str] = "polyu"
    title: ClassVar[str] = "100 pairs of a noisy and a mean photograph, 512x512"
    citation: ClassVar[str] = (
        "J. Xu et al., Real-world Noisy Image Denoising: A New Benchmark, arXiv:1804.02603, 2018; non-commercial use"
    )
    source: ClassVar[str] = "github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "csjunxu-PolyU-Real-World-Noisy-Images-Dataset/CroppedImages"

    pairs: Annotated[int, Within(1, PAIRS)] = PAIRS

    @property
    def label(self) -> str:
        return canonical(self.name, self)

    @property
    def folder_name(self) -> str:
        return self.name if self.pairs == PAIRS else f"{self.name}-{self.pairs}"

    def paths(self, split: str) -> list[str]:
        return super().paths(split)[: 2 * self.pairs]
