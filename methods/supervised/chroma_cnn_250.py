"""Our colorization network, trained on the paper's 250 images of one set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from methods.supervised.chroma_cnn import ChromaCnn


@dataclass(frozen=True)
class ChromaCnn250(ChromaCnn):
    """`chroma-cnn` with as much data as the paper's rivals had: the training images of lsun-bedroom, nothing else."""

    name: ClassVar[str] = "chroma-cnn-250"
    summary: ClassVar[str] = "chroma-cnn trained on the 250 bedrooms of the paper alone"
    stem: ClassVar[str] = "chroma-cnn-250-bedroom"
