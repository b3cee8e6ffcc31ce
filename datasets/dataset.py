"""A dataset is a named list of clean images in splits; each image is loaded on its own, when it is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from datasets import fetch
from datasets.errors import SuiteError, unknown
from datasets.images import EXTENSIONS, read_image
from datasets.plugins import discover


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


class Dataset(ABC):
    """A set of clean images. Subclasses set the class variables, one file each in `datasets/sets/`."""

    name: ClassVar[str]
    """Identifier on the command line, in records and in the random key."""
    title: ClassVar[str]
    citation: ClassVar[str]
    """Who made the images, and under which licence they are."""
    source: ClassVar[str]
    """Where the files come from."""
    colour: ClassVar[bool]
    splits: ClassVar[tuple[str, ...]] = ("test",)
    disjoint_from: ClassVar[tuple[str, ...]] = ()
    """Training splits, as `name:split`, that share no image with the test split."""

    @abstractmethod
    def entries(self, split: str = "test") -> list[Entry]:
        """Return the images of a split in their order. No image is loaded.

        Raises:
            SuiteError: there is no such split.
        """

    def available(self, split: str = "test") -> str | None:
        """Return None if every image of the split can be had without network, or else the reason and the command."""
        entries = self.entries(split)
        missing = sum(entry.where() is None for entry in entries)
        if not missing:
            return None
        command = f"python -m datasets fetch {self.name}" + (f" --split {split}" if len(self.splits) > 1 else "")
        return (
            f"{missing} of the {len(entries)} images of {self.name} are not on this machine: run `{command}`, "
            f"or set {fetch.MIRROR} to a folder that holds them."
        )

    def check_split(self, split: str) -> None:
        """Raise SuiteError if there is no such split."""
        if split not in self.splits:
            raise unknown(f"split of dataset '{self.name}'", split, self.splits)


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

    def paths(self, split: str) -> list[str]:
        """Return the registry's paths of a split, sorted by file name."""
        return sorted(path for path in fetch.registry() if path.rpartition("/")[0] == self.folder)

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        return [RegisteredImage(Path(path).stem, path, self.name) for path in self.paths(split)]


@dataclass(frozen=True)
class FolderImage(Entry):
    """An image file of a user's folder."""

    name: str
    file: Path

    def load(self) -> Tensor:
        return read_image(self.file)

    def sha256(self) -> str:
        try:
            return fetch.file_sha256(self.file)
        except OSError as error:
            raise SuiteError(f"image '{self.file}' cannot be read ({error.strerror}).") from error

    def where(self) -> str | None:
        return "folder"

    def check(self) -> None:
        self.load()


class Folder(Dataset):
    """Every image of a folder (not of the folders in it), sorted by file name; hidden files are left out.

    Its name is `folder:` and the folder's own name: the random key, and so the noise, does not depend on where the
    folder lies. An image's name is its file name without the ending, unless two images would share it.

    Raises:
        SuiteError: the folder cannot be read, or holds no image.
    """

    title = "images of a folder"
    citation = "the user's own images"
    source = "a folder"

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().resolve()
        self.name = f"folder:{self.folder.name}"  # type: ignore[misc]
        try:
            names = sorted(file.name for file in self.folder.iterdir() if file.is_file())
        except OSError as error:
            raise SuiteError(f"folder '{folder}' cannot be read ({error.strerror}): check its permissions.") from error
        names = [name for name in names if name.lower().endswith(EXTENSIONS) and not name.startswith(".")]
        if not names:
            raise SuiteError(f"folder '{folder}' holds no image: put files ending in {', '.join(EXTENSIONS)} there.")
        taken = Counter(names) + Counter(Path(name).stem for name in names)
        self._entries = [
            FolderImage(stem if taken[stem := Path(name).stem] == 1 else name, self.folder / name) for name in names
        ]

    @cached_property
    def colour(self) -> bool:  # type: ignore[override]
        """True if any image has three channels; all-gray folders are read to the end to know."""
        return any(entry.load().shape[0] == 3 for entry in self._entries)

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        return list(self._entries)


@cache
def datasets() -> dict[str, type[Dataset]]:
    """Every named dataset."""
    return discover("datasets.sets", Dataset)  # type: ignore[type-abstract]


def get_dataset(name_or_folder: str) -> Dataset:
    """Return the dataset of that name, or else the images of that folder.

    Raises:
        SuiteError: neither exists, or the folder holds no image.
    """
    if name_or_folder in datasets():
        return datasets()[name_or_folder]()
    path = Path(name_or_folder).expanduser()
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        raise SuiteError(f"dataset '{name_or_folder}' is a file: give the folder it is in.")
    raise SuiteError(f"{unknown('dataset', name_or_folder, datasets())} Or give the path of an existing folder.")
