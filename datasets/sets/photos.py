"""The embedded default: photographs that come with scikit-image."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datasets import fetch
from datasets.dataset import Dataset, Entry
from datasets.errors import SuiteError

SIDE = 256

FILES = {
    "astronaut": ("astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    "cat": ("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    "coffee": ("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    "motorcycle": ("motorcycle_left.png", "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"),
    "rocket": ("rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
}
"""Name of the image: its file in scikit-image's `data` folder, and the SHA-256 of that file."""


@dataclass(frozen=True)
class Photo(Entry):
    """One of the photographs."""

    name: str

    def file(self) -> Path:
        """Return the file inside the installed scikit-image.

        Raises:
            SuiteError: it is missing, or not the file that is expected.
        """
        # Only located, not imported: scikit-image's own loader may go to the network.
        spec = importlib.util.find_spec("skimage")
        filename, expected = FILES[self.name]
        roots = spec.submodule_search_locations if spec is not None else None
        file = Path(roots[0], "data", filename) if roots else None
        mend = "reinstall it with `pip install --force-reinstall scikit-image`"
        if file is None or not file.is_file():
            raise SuiteError(f"photo '{self.name}': scikit-image has no data/{filename} here: {mend}.")
        if fetch.file_sha256(file) != expected:
            raise SuiteError(f"photo '{self.name}': {file} is not the expected file (wrong SHA-256): {mend}.")
        return file

    def pixels(self) -> np.ndarray:
        """Return the 8-bit pixels (256,256,3): the centre square, resized by Pillow's Lanczos filter."""
        with Image.open(self.file()) as image:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.convert("RGB").crop((left, top, left + side, top + side))
        return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))

    def load(self) -> Tensor:
        return torch.from_numpy(self.pixels().astype(np.float32) / np.float32(255)).permute(2, 0, 1).contiguous()

    def sha256(self) -> str:
        """Return the hash of the 8-bit pixels, row by row, RGB: of what methods are given, not of the file."""
        return hashlib.sha256(self.pixels().tobytes()).hexdigest()

    def where(self) -> str | None:
        return "embedded"

    def check(self) -> None:
        self.pixels()


class Photos(Dataset):
    """Five natural colour photographs, 256×256: centre square of each, then Lanczos, rounded to 8 bit."""

    name: ClassVar[str] = "photos"
    title: ClassVar[str] = "photographs that come with scikit-image, 256x256"
    citation: ClassVar[str] = (
        "S. van der Walt et al., scikit-image: image processing in Python, PeerJ, 2014. "
        "Photographs: NASA (astronaut, public domain), S. van der Walt (cat, CC0), R. Michetti (coffee, CC0), "
        "D. Scharstein et al., GCPR 2014 (motorcycle), SpaceX (rocket, public domain)"
    )
    source: ClassVar[str] = "the installed scikit-image"
    colour: ClassVar[bool] = True

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        return [Photo(name) for name in FILES]
