"""The interface of every metric: what it is called, how it is computed, and its value for an image or for a set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class AnyMetric(ABC):
    """What metrics of images and of sets share. Subclasses are frozen dataclasses of parameters, one file each."""

    name: ClassVar[str]
    """Identifier on the command line."""
    title: ClassVar[str]
    """Head of the column in tables, label of the axis in figures."""
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool]
    decimals: ClassVar[int]
    """Digits after the point in tables."""
    limits: ClassVar[tuple[float, float]]
    """The least and the greatest value there can be."""
    quantised: ClassVar[bool] = True
    """True if images are clipped to [0,1] and rounded to 8 bit before they are scored."""
    near_exact: ClassVar[float | None] = None
    """A value so good that the image had nothing to restore, or None: tables leave such images out of their means."""
    variants: ClassVar[dict[str, str]] = {}
    """Names of settings: a name, and the spec that it stands for."""

    @property
    @abstractmethod
    def signature(self) -> str:
        """How the number is computed, in one word: numbers of different signatures are not compared."""

    def unavailable(self) -> str | None:
        """Return None if the metric can be computed here, or the reason why not and the remedy."""
        return None

    def weights(self) -> tuple[Path, ...]:
        """The files of learned weights that the metric reads; their hashes enter `run.json`."""
        return ()


class Metric(AnyMetric):
    """A full-reference measure of quality: one value per image.

    Images are (N,C,H,W), C 1 or 3, multiples of 1/255 in [0,1] unless `quantised` is False. A value is NaN where the
    metric is not defined; each subclass says where. The value of an image depends on nothing but that image, its
    reference and its mask.
    """

    needs_reference: ClassVar[bool] = True
    """False if the metric looks at the restored image alone: then `prepare` may be given no reference."""

    @abstractmethod
    def prepare(self, reference: Tensor, mask: Tensor) -> Any:
        """Compute what depends on the reference alone, once for all the images that are compared with it.

        Args:
            reference: clean images (N,C,H,W).
            mask: (N,1,H,W), 1 where a pixel was observed, 0 in the hole.
        """

    @abstractmethod
    def score(self, prepared: Any, image: Tensor) -> Tensor:
        """Return one value per image (N,), float64, given what `prepare` returned."""


class NoReferenceMetric(Metric):
    """A measure of the restored image alone, such as its sharpness. A subclass implements `score`."""

    needs_reference: ClassVar[bool] = False

    def prepare(self, reference: Tensor | None, mask: Tensor) -> None:
        """Nothing is prepared."""
        return


class SetMetric(AnyMetric):
    """A measure of a whole set of restorations, such as a distance of distributions: one value per row of a table.

    Every image is described by a few numbers, which a run keeps; the value is computed from those of all its images.
    It has no interval, and no test.
    """

    @abstractmethod
    def features(self, image: Tensor) -> Tensor:
        """Return the description (N,D), float64, of images (N,C,H,W)."""

    @abstractmethod
    def score_set(self, restored: Tensor, clean: Tensor) -> float:
        """Return the value, given the descriptions (M,D) of M restorations and of their references."""


def levels(image: Tensor) -> Tensor:
    """Return the 8-bit levels 0, 1, ..., 255 of an image whose values are multiples of 1/255, in the image's dtype."""
    return (image * 255).round_()


def image_sum(values: Tensor) -> Tensor:
    """Return the sum over an image (N,) of values (N,...,H,W), float64.

    Row by row, then over the rows: torch would split one long sum among its threads, and so round it differently on
    different numbers of threads.
    """
    return values.sum(dim=-1, dtype=torch.float64).flatten(1).sum(dim=1)


def image_mean(values: Tensor) -> Tensor:
    """Return the mean over an image (N,) of values (N,...,H,W), float64; see `image_sum`."""
    return image_sum(values) / values[0].numel()
