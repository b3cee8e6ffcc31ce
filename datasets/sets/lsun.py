"""Bedrooms, churches and conference rooms of LSUN, as the BIGPrior paper prepared them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from datasets.dataset import RegisteredSet

TRAIN = 250


@dataclass(frozen=True)
class Lsun(RegisteredSet):
    """300 RGB images 256×256 of one kind of scene, sorted by file name: 0–249 train, 250–299 test.

    Args:
        scene: bedroom, church or conference.
    """

    name: ClassVar[str] = "lsun"
    title: ClassVar[str] = "300 LSUN photographs of one kind of scene, 256x256, the BIGPrior paper's split"
    citation: ClassVar[str] = (
        "F. Yu et al., LSUN: Construction of a Large-Scale Image Dataset using Deep Learning with Humans in the Loop, "
        "arXiv:1506.03365, 2015; prepared by M. El Helou and S. Süsstrunk, BIGPrior, IEEE TIP, 2022; for research"
    )
    source: ClassVar[str] = "github.com/majedelhelou/BIGPrior"
    colour: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    variants: ClassVar[dict[str, str]] = {
        "lsun-bedroom": "lsun[scene=bedroom]",
        "lsun-church": "lsun[scene=church]",
        "lsun-conference": "lsun[scene=conference]",
    }

    scene: Literal["bedroom", "church", "conference"]

    @property
    def label(self) -> str:
        return f"lsun-{self.scene}"

    @property
    def place(self) -> str:
        return f"majedelhelou-BIGPrior/data/lsun/data/{self.scene}"

    @property
    def disjoint_from(self) -> tuple[str, ...]:  # type: ignore[override]
        """The set's own training split."""
        return (f"{self.label}:train",)

    def paths(self, split: str) -> list[str]:
        ordered = super().paths(split)
        return ordered[:TRAIN] if split == "train" else ordered[TRAIN:]
