"""Fourteen images of super-resolution; one of them, `bridge`, is grayscale."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Set14(RegisteredSet):
    """Fourteen images of super-resolution; one of them, `bridge`, is grayscale.

    Uncropped: a task with a scale crops them to multiples of it. A task that needs colour leaves `bridge` out.
    """

    name: ClassVar[str] = "set14"
    title: ClassVar[str] = "14 images, 250x361 to 768x512, one of them grayscale"
    citation: ClassVar[str] = (
        "R. Zeyde, M. Elad and M. Protter, On Single Image Scale-Up Using Sparse-Representations, "
        "Curves and Surfaces, 2010; no terms stated, for research"
    )
    source: ClassVar[str] = "github.com/majedelhelou/denoising_datasets"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "majedelhelou-denoising_datasets/CSet14"
    disjoint_from: ClassVar[tuple[str, ...]] = ("cbsd432:train",)
