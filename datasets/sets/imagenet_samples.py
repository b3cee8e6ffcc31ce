"""One photograph of each class of ImageNet, for training."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class ImagenetSamples(RegisteredSet):
    """One photograph of each class of ImageNet, for training."""

    name: ClassVar[str] = "imagenet-samples"
    title: ClassVar[str] = "1,000 ImageNet photographs, one of each class, for training"
    citation: ClassVar[str] = (
        "J. Deng et al., ImageNet: A Large-Scale Hierarchical Image Database, CVPR, 2009; no terms stated, for research"
    )
    source: ClassVar[str] = "github.com/EliSchwartz/imagenet-sample-images"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "EliSchwartz-imagenet-sample-images"
    splits: ClassVar[tuple[str, ...]] = ("train",)
