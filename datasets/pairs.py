"""Sets of photographs in pairs: of each scene a noisy one, and the mean of many, which stands for the clean image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from datasets import fetch
from datasets.catalog import SETS
from datasets.dataset import Dataset, Entry, RegisteredImage, RegisteredSet, get_dataset
from datasets.errors import SuiteError, unknown
from datasets.images import read_image

FOLDER = "folder:"
"""How the label of a user's folder begins."""


@dataclass(frozen=True)
class PairedImage(RegisteredImage):
    """A mean photograph of the registry, and the noisy photograph of the same scene.

    Attributes:
        noisy: path of the noisy photograph in the registry.
    """

    noisy: str

    def observed(self) -> Tensor:
        """Return the noisy photograph (C,H,W) in [0,1].

        Raises:
            SuiteError: it cannot be read, or is not of the size of the mean photograph.
        """
        noisy, mean = read_image(fetch.local_path(self.noisy, self.dataset)), self.load()
        if noisy.shape != mean.shape:
            sizes = " and ".join("x".join(map(str, image.shape)) for image in (noisy, mean))
            raise SuiteError(f"the pair '{self.name}' of {self.dataset} has two sizes, {sizes}: fetch it again.")
        return noisy

    def sha256(self) -> str:
        both = (fetch.remote(path).sha256 for path in (self.path, self.noisy))
        return hashlib.sha256("".join(both).encode()).hexdigest()

    def where(self) -> str | None:
        return super().where() if fetch.locate(self.noisy) is not None else None

    def check(self) -> None:
        super().check()
        RegisteredImage(self.name, self.noisy, self.dataset).check()


class PairedSet(RegisteredSet):
    """Pairs of one folder of the registry, told apart by how their names end before the ending of the file.

    An entry is the mean photograph, called after the scene: to a task that degrades it, the set is one of clean images.
    """

    mean_ending: ClassVar[str] = "_mean"
    noisy_ending: ClassVar[str] = "_real"

    def paths(self, split: str) -> list[str]:
        return sorted(super().paths(split), key=lambda path: (self._scene(path), path))

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        paths = self.paths(split)
        noisy = {self._scene(path): path for path in paths if Path(path).stem.endswith(self.noisy_ending)}
        means = {self._scene(path): path for path in paths if Path(path).stem.endswith(self.mean_ending)}
        return [PairedImage(scene, path, self.label, noisy[scene]) for scene, path in means.items()]

    def _scene(self, path: str) -> str:
        return Path(path).stem.removesuffix(self.noisy_ending).removesuffix(self.mean_ending)


def pair_of(dataset: str, image: str) -> PairedImage | None:
    """Return the pair that a key names; None if its dataset is no set at all, as of the small image of a warm-up.

    Raises:
        SuiteError: the set has no pairs, or none of that name.
    """
    if dataset.partition("[")[0] not in SETS.names() and not dataset.startswith(FOLDER):
        return None
    paired = [] if dataset.startswith(FOLDER) else _pairs(get_dataset(dataset))
    if not paired:
        raise SuiteError(f"{dataset} has no pairs of a noisy and a mean photograph: give one of {', '.join(names())}.")
    found = next((entry for entry in paired if entry.name == image), None)
    if found is None:
        raise unknown(f"pair of {dataset}", image, [entry.name for entry in paired])
    return found


def names() -> list[str]:
    """Return the names of the sets that have pairs."""
    return [name for name in SETS.index() if issubclass(SETS.get(name), PairedSet)]


def _pairs(dataset: Dataset) -> Sequence[PairedImage]:
    entries = [entry for split in dataset.splits for entry in dataset.entries(split)]
    return [entry for entry in entries if isinstance(entry, PairedImage)]
