"""The five images that super-resolution is tested on first."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Set5(RegisteredSet):
    """The five images that super-resolution is tested on first.

    Uncropped: a task with a scale crops them to multiples of it. `woman` is a reduced copy of image 302003 of the
    Berkeley dataset, which `cbsd432` trains on: networks that were trained here have seen it.
    """

    name: ClassVar[str] = "set5"
    title: ClassVar[str] = "5 colour images, 228x344 to 512x512"
    citation: ClassVar[str] = (
        "M. Bevilacqua et al., Low-Complexity Single-Image Super-Resolution Based on Nonnegative Neighbor Embedding, "
        "BMVC, 2012; no terms stated, for research"
    )
    source: ClassVar[str] = "github.com/majedelhelou/denoising_datasets"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "majedelhelou-denoising_datasets/CSet5"
