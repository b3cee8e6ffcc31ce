"""Images with nothing to restore: one row restores them nearly exactly, such as a gray photograph in colorization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.scores.measure import Measure


@dataclass(frozen=True)
class Exact:
    """The images that were restored nearly exactly.

    Attributes:
        measure: the metric that says so; None if none of the run does.
        images: their names.
        left_out: they are not in the means; False where nothing would be left.
    """

    measure: Measure | None
    images: tuple[str, ...]
    left_out: bool

    @property
    def everywhere(self) -> bool:
        """True if that is every image."""
        return bool(self.images) and not self.left_out


def nearly_exact(done: pd.DataFrame, measures: Sequence[Measure]) -> Exact:
    """Return the images that some row restored nearly exactly."""
    for measure in measures:
        if measure.near_exact is not None:
            scores = done[measure.name]
            reached = scores >= measure.near_exact if measure.higher_is_better else scores <= measure.near_exact
            images = tuple(sorted(set(done.image[reached])))
            return Exact(measure, images, left_out=len(images) < done.image.nunique())
    return Exact(None, (), left_out=False)
