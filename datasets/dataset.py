"""A dataset is a named list of clean images in splits; each image is loaded on its own, when it is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from datasets import fetch
from datasets.catalog import SETS
from datasets.errors import SuiteError, unknown
from datasets.images import read_image


class Entry(ABC):
    """One clean image."""

    name: str
    """Identifier within the dataset; it enters the random key."""

    @abstractmethod
    def load(self) -> Tensor:
        """Return the image (C,H,W) float32 in [0,1], C 1 or 3; see `datasets.images.read_image` for what it raises."""

    @abstractmethod
    def sha256(self) -> str:
        """Return a hash of the content, hexadecimal, without any network."""

    @abstractmethod
    def where(self) -> str | None:
        """Return where the image is now (`embedded`, `mirror`, `cache`, `folder`), or None if it must be fetched."""

    @abstractmethod
    def check(self) -> None:
        """Compare the copy that is here with what is expected of it.

        Raises:
            SuiteError: it is missing or damaged.
        """


@dataclass(frozen=True)
class Dataset(ABC):
    """A set of clean images. Subclasses are frozen dataclasses of parameters, one file each in `datasets/sets/`."""

    name: ClassVar[str]
    """Identifier on the command line."""
    title: ClassVar[str]
    citation: ClassVar[str]
    """Who made the images, and under which licence they are."""
    source: ClassVar[str]
    """Where the files come from."""
    colour: ClassVar[bool]
    splits: ClassVar[tuple[str, ...]] = ("test",)
    disjoint_from: ClassVar[tuple[str, ...]] = ()
    """Training splits, as `name:split`, that share no image with the test split."""
    variants: ClassVar[dict[str, str]] = {}
    """Names of settings: a name, and the spec that it stands for."""

    @property
    def label(self) -> str:
        """What the set is called in records and in the random key; it never depends on where the images lie."""
        return self.name

    @property
    def folder_name(self) -> str:
        """What the set is called in the name of a folder: two sets never share one."""
        return self.label

    @property
    def left_out(self) -> str:
        """What lies beside the images and is not taken, in a few words; empty if there is nothing."""
        return ""

    @abstractmethod
    def entries(self, split: str = "test") -> list[Entry]:
        """Return the images of a split in their order. No image is loaded.

        Raises:
            SuiteError: there is no such split.
        """

    def available(self, split: str = "test") -> str | None:
        """Return None if every image of the split can be had without a network, or the reason and the command."""
        entries = self.entries(split)
        missing = sum(entry.where() is None for entry in entries)
        if not missing:
            return None
        command = f"python -m datasets fetch {self.label}" + (f" --split {split}" if len(self.splits) > 1 else "")
        return (
            f"{missing} of the {len(entries)} images of {self.label} are not on this machine: run `{command}`, "
            f"or set {fetch.MIRROR} to a folder that holds them."
        )

    def check_split(self, split: str) -> None:
        """Raise SuiteError if there is no such split."""
        if split not in self.splits:
            raise unknown(f"split of dataset '{self.label}'", split, self.splits)


@dataclass(frozen=True)
class RegisteredImage(Entry):
    """An image file of the registry."""

    name: str
    path: str
    dataset: str

    def load(self) -> Tensor:
        return read_image(fetch.local_path(self.path, self.dataset))

    def sha256(self) -> str:
        return fetch.remote(self.path).sha256

    def where(self) -> str | None:
        found = fetch.locate(self.path)
        return None if found is None else found[0]

    def check(self) -> None:
        if fetch.locate(self.path) is None:
            raise SuiteError(f"{self.path} is not on this machine: run `python -m datasets fetch {self.dataset}`.")
        fetch.local_path(self.path, self.dataset)


class RegisteredSet(Dataset):
    """The images of one folder of the registry, sorted by file name. By default all of them are the only split."""

    folder: ClassVar[str]

    @property
    def place(self) -> str:
        """The folder of the registry."""
        return self.folder

    def paths(self, split: str) -> list[str]:
        """Return the registry's paths of a split, sorted by file name."""
        return sorted(path for path in fetch.registry() if path.rpartition("/")[0] == self.place)

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        return [RegisteredImage(Path(path).stem, path, self.label) for path in self.paths(split)]


def get_dataset(text: str) -> Dataset:
    """Return the dataset that a spec means, or the images of the folder of that path.

    Raises:
        SuiteError: neither exists, or the folder holds no image.
    """
    dataset: Dataset = SETS.build(SETS.of_place(text))
    return dataset
