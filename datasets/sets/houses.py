"""Photographs of houses from outside and inside, for training."""

from __future__ import annotations

from typing import ClassVar

from datasets.dataset import RegisteredSet


class Houses(RegisteredSet):
    """Photographs of houses from outside and inside, for training.

    Four of every house: bathroom, bedroom, kitchen and the front.
    """

    name: ClassVar[str] = "houses"
    title: ClassVar[str] = "2,140 photographs of 535 houses for training"
    citation: ClassVar[str] = (
        "E. Ahmed and M. Moustafa, House Price Estimation from Visual and Textual Features, NCTA, 2016; "
        "no terms stated, for research"
    )
    source: ClassVar[str] = "github.com/emanhamed/Houses-dataset"
    colour: ClassVar[bool] = True
    folder: ClassVar[str] = "emanhamed-Houses-dataset/Houses Dataset"
    splits: ClassVar[tuple[str, ...]] = ("train",)
