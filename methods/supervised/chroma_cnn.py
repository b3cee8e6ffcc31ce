"""Our colorization network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from bigprior.precision import Precision
from datasets.observation import Observation
from datasets.task import COLORIZATION, Problem
from methods.supervised._chroma import ChromaEnsemble, colorize, untrained
from methods.supervised._trained import Trained, TrainedOn


@dataclass(frozen=True)
class ChromaCnn(Trained[ChromaEnsemble]):
    """x̂ = (y, C(y)) in luma and chroma: C the mean of three U-Nets that see luma and the row of a pixel.

    The luma of the result, before it is clipped, is y. Trained on the training splits of LSUN for the mean distance in
    the CIE ab plane, whose minimiser is the geometric median of the plausible colours (`weights/chroma-cnn.md`).

    Args:
        precision: of the convolutions.
        trained_on: all, or the 250 training images of lsun-bedroom alone.

    Source: R. Zhang, P. Isola and A. A. Efros, "Colorful Image Colorization", ECCV 2016, for the task and the metric.
    Deviation: regression of a median instead of classification with rebalanced colours.
    """

    name: ClassVar[str] = "chroma-cnn"
    summary: ClassVar[str] = "our three gated U-Nets from luma to chroma, trained on LSUN"
    citation: ClassVar[str] = "this suite, after R. Zhang et al., Colorful image colorization, ECCV 2016"
    problems: ClassVar[tuple[Problem, ...]] = (COLORIZATION,)
    variants: ClassVar[dict[str, str]] = {"chroma-cnn-250": "chroma-cnn[trained_on=lsun-bedroom]"}

    precision: Precision = "float32"
    trained_on: TrainedOn = "all"

    @property
    def stem(self) -> str:
        return "chroma-cnn" if self.trained_on == "all" else "chroma-cnn-250-bedroom"

    def restore(self, observation: Observation) -> Restoration:
        network = self.loaded(untrained, observation.y)
        with self.computing(observation.y):
            return Restoration(colorize(network, observation.y))
