"""A constant fill: the mean colour around the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from scipy import ndimage

from datasets.spec import Within
from methods.classic._inpainting import Bools, Floats, Inpainting


@dataclass(frozen=True)
class RingMean(Inpainting):
    """g = the mean of the observed pixels within a square distance `width` of the hole, one colour per hole.

    Holes are the 4-connected components of what was not observed. The simplest fill there is: what a method gains
    over it is what it knows about structure.

    Args:
        width: ring width in pixels.
    """

    name: ClassVar[str] = "ring-mean"
    summary: ClassVar[str] = "the mean colour of the ring of observed pixels around each hole"
    citation: ClassVar[str] = "baseline, no source"

    width: Annotated[int, Within(1, 1000)] = 1

    @property
    def reach(self) -> int:
        return self.width

    def fill(self, image: Floats, hole: Bools) -> Floats:
        filled = image.copy()
        labels, _ = ndimage.label(hole)
        height, width = hole.shape
        for k, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
            near = (
                slice(max(rows.start - self.width, 0), min(rows.stop + self.width, height)),
                slice(max(columns.start - self.width, 0), min(columns.stop + self.width, width)),
            )
            this = labels[near] == k
            ring = ndimage.maximum_filter(this, size=2 * self.width + 1, mode="constant") & ~hole[near]
            filled[near][this] = image[near][ring].mean(axis=0)
        return filled
