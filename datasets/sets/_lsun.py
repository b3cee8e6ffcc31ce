"""What the three LSUN sets share."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet

TRAIN = 250


class Lsun(RegisteredSet):
    """300 RGB images 256×256, as the BIGPrior paper prepared them: sorted by file name, 0–249 train, 250–299 test."""

    citation: ClassVar[str] = (
        "F. Yu et al., LSUN: Construction of a Large-Scale Image Dataset using Deep Learning with Humans in the Loop, "
        "arXiv:1506.03365, 2015; prepared by M. El Helou and S. Süsstrunk, BIGPrior, IEEE TIP, 2022; for research"
    )
    source: ClassVar[str] = "github.com/majedelhelou/BIGPrior"
    colour: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def paths(self, split: str) -> list[str]:
        ordered = super().paths(split)
        return ordered[:TRAIN] if split == "train" else ordered[TRAIN:]
