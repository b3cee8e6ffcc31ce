"""A user's own images."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from datasets import fetch
from datasets.dataset import Dataset, Entry
from datasets.errors import SuiteError
from datasets.files import expanded
from datasets.images import EXTENSIONS, read_image

HIDDEN, LINK, INNER, OTHER = "hidden file", "dangling link", "folder", "other file"
LONGEST_NAME = 180
"""Bytes of a file name: names of files in run folders are made from it."""
SHOWN = 3
"""So many names are written out."""


def _kind(file: os.DirEntry[str]) -> str:
    """What an entry of a folder is, in a word; "" if it is an image."""
    if file.name.startswith("."):
        return HIDDEN
    if file.is_symlink() and not Path(file.path).exists():
        return LINK
    if file.is_dir():
        return INNER
    return "" if file.is_file() and file.name.lower().endswith(EXTENSIONS) else OTHER


def _unkeepable(name: str) -> str | None:
    """Why records cannot keep a name, or None."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "not UTF-8"
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name):
        return "a control character or a line end in it"
    return f"{size} bytes, the most is {LONGEST_NAME}" if size > LONGEST_NAME else None


def _shown(name: str) -> str:
    return f"'{name}'" if name.isprintable() else ascii(name)


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > SHOWN else ""
    return ", ".join(name if name.isprintable() else ascii(name) for name in names[:SHOWN]) + more


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


@dataclass(frozen=True)
class Folder(Dataset):
    """Every image of a folder (not of the folders in it), sorted by file name; `left_out` says what is not taken.

    Its label is `folder:` and the folder's own name: the random key, and so the noise, does not depend on where the
    folder lies. An image's name is its file name without the ending, unless two images would share it.

    Args:
        path: of the folder.

    Raises:
        SuiteError: the folder cannot be read, holds no image, or a name is not one that records can keep: it has
            control characters or line ends, is not UTF-8, or is longer than LONGEST_NAME bytes.
    """

    name: ClassVar[str] = "folder"
    title: ClassVar[str] = "the images of a folder"
    citation: ClassVar[str] = "the user's own images"
    source: ClassVar[str] = "a folder"

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", expanded(self.path).resolve())
        self.images  # noqa: B018 - a folder without images is said at once

    @property
    def label(self) -> str:
        return f"folder:{self.path.name}"

    @property
    def folder_name(self) -> str:
        # Two folders may have one name, and their runs must not share a folder.
        return f"{self.path.name}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:6]}"

    @cached_property
    def _sorted(self) -> dict[str, list[str]]:
        """Kind → names of the entries of the folder, sorted; images are the kind ""."""
        try:
            kinds: dict[str, list[str]] = {}
            with os.scandir(self.path) as files:
                for file in sorted(files, key=lambda file: file.name):
                    kinds.setdefault(_kind(file), []).append(file.name)
        except OSError as error:
            raise SuiteError(
                f"folder {_shown(str(self.path))} cannot be read ({error.strerror}): check path and permissions."
            ) from error
        return kinds

    @property
    def left_out(self) -> str:
        kinds = {kind: names for kind, names in self._sorted.items() if kind}
        return ", ".join(
            f"{len(names)} {kind}{'' if len(names) == 1 else 's'}" + ("" if kind == HIDDEN else f" ({_some(names)})")
            for kind, names in sorted(kinds.items())
        )

    @cached_property
    def images(self) -> tuple[FolderImage, ...]:
        """The images, in the order of their file names."""
        names = self._sorted.get("", [])
        if not names:
            found = f" (it has {self.left_out})" if self.left_out else ""
            endings = ", ".join(EXTENSIONS)
            raise SuiteError(
                f"folder {_shown(str(self.path))} holds no image: put files ending in {endings} there{found}."
            )
        for what, name in [("folder", self.path.name), *(("image", name) for name in names)]:
            if (wrong := _unkeepable(name)) is not None:
                raise SuiteError(f"{what} {name!r} has a name that records cannot keep ({wrong}): rename it.")
        taken = Counter(names) + Counter(Path(name).stem for name in names)
        return tuple(
            FolderImage(stem if taken[stem := Path(name).stem] == 1 else name, self.path / name) for name in names
        )

    @cached_property
    def colour(self) -> bool:  # type: ignore[override]
        """True if any image has three channels; an all-gray folder is read completely."""
        return any(entry.load().shape[0] == 3 for entry in self.images)

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        return list(self.images)
