"""Our colorization network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.supervised._chroma import ChromaEnsemble, colorize, untrained
from methods.supervised._trained import Precision, Trained


@dataclass(frozen=True)
class ChromaCnn(Trained[ChromaEnsemble]):
    """x̂ = (y, C(y)) in luma and chroma: C the mean of three U-Nets that see luma and the row of a pixel.

    The luma of the result, before it is clipped, is y. Trained on the training splits of LSUN for the mean distance in
    the CIE ab plane, whose minimiser is the geometric median of the plausible colours (`weights/chroma-cnn.md`).

    Attributes:
        precision: of the convolutions.

    Source: R. Zhang, P. Isola and A. A. Efros, "Colorful Image Colorization", ECCV 2016, for the task and the metric.
    Deviation: regression of a median instead of classification with rebalanced colours, which scores lower in AuC.
    """

    name: ClassVar[str] = "chroma-cnn"
    summary: ClassVar[str] = "our three gated U-Nets from luma to chroma, trained on LSUN"
    citation: ClassVar[str] = "this suite, after R. Zhang et al., Colorful image colorization, ECCV 2016"
    tasks: ClassVar[tuple[str, ...]] = ("colorize",)
    stem: ClassVar[str] = "chroma-cnn"

    precision: Precision = "float32"

    def restore(self, observation: Observation) -> Restoration:
        network = self.loaded(untrained, observation.y)
        with self.computing(observation.y):
            return Restoration(colorize(network, observation.y))
