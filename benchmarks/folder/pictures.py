"""Images on disk: float arrays to measure with, PNGs to look at.

    DIR/images/<image>/observation.npz      clean, y, mask, sigma
    DIR/images/<image>/<row>.npz            image, and where known phi, phi_map, prior, fidelity
    DIR/images/<image>/<row>.png            the image, 8 bit; <row>.phi.png and <row>.prior.png beside it
    DIR/preview/<image>/...                 PNGs alone, of the first images: for the figure of images and the report
    DIR/reliance/<image>/<row>.npz          of runs with --reliance: maps (see `benchmarks.scores.reliance`)
    DIR/features/<image>/<row>.npz          descriptions for metrics of sets; clean.npz for the reference

φ, g and f are kept in the coordinates of the fusion where those are the size of an image; a transform domain many
times larger (the patch groups of collaborative filtering) keeps its pixel map of φ alone.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import tokenize
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bigprior.fusion import Restoration
from datasets.errors import SuiteError
from datasets.files import StorageError, write_atomically
from datasets.observation import Observation

OBSERVATION = "observation"
CLEAN = "clean"
LONGEST = 180
"""Letters of a file name: what is longer is cut and ends in a hash."""
UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, MemoryError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What NumPy raises on damaged archives."""
LARGEST_DOMAIN = 4
"""Coordinates are kept up to this many times the size of the image."""


def to_png(image: Tensor) -> bytes:
    """Encode an image (C,H,W), clipped to [0,1], C 1 or 3, as an 8-bit PNG."""
    pixels = (image.detach().float().clamp(0, 1) * 255).round().byte().cpu().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
    picture.save(buffer, format="PNG", compress_level=1)  # hardly larger, and many times quicker: a run writes hundreds
    return buffer.getvalue()


def file_name(row: str) -> str:
    """Return the name of a row's files, without the ending: its label, with what a file name cannot have as %XX."""
    name = quote(row, safe=" []=,@+;()!'#&~^{}")
    if name.startswith("."):
        name = "%2E" + name[1:]
    # Pictures of φ and of the prior have these endings.
    name = re.sub(r"\.(phi|prior)$", r"%2E\1", name)
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{hashlib.sha256(row.encode()).hexdigest()[:8]}"


def image_folder(parent: Path, image: str) -> Path:
    """Return the folder of an image's pictures, which never lies outside its parent.

    Raises:
        SuiteError: the name of the image is no name of a file.
    """
    control = any(unicodedata.category(letter) == "Cc" for letter in image)
    if image in ("", ".", "..") or control or any(letter in image for letter in "/\\"):
        raise SuiteError(f"{image!r} cannot be the name of an image: it is no name of a file.")
    return parent / image


class Pictures:
    """The images of one run."""

    def __init__(self, out: Path) -> None:
        self.images = out / "images"
        self.previews = out / "preview"
        self.reliance = out / "reliance"
        self.feature_folder = out / "features"

    def save(self, row: str, image: str, observation: Observation, restoration: Restoration, index: int) -> None:
        """Keep image `index` of a restored batch, and what it was restored from.

        Raises:
            StorageError: it cannot be written.
        """
        folder = made_folder(self.images, image)
        self._save_observation(folder, observation)
        pixels = restoration.image[index]
        arrays = {"image": pixels}
        for name in ("phi", "prior", "fidelity"):
            part = getattr(restoration, name)
            if part is not None:
                part = part[min(index, len(part) - 1)]
                if part.numel() <= LARGEST_DOMAIN * pixels.numel():
                    arrays[name] = part
        phi_map = restoration.phi_map()
        if phi_map is not None:
            arrays["phi_map"] = phi_map[min(index, len(phi_map) - 1)]
        _write_arrays(folder / f"{file_name(row)}.npz", arrays)
        self._write_pngs(folder, row, restoration, index)

    def has_saved(self, row: str, image: str) -> bool:
        """Return whether `save` kept the restoration."""
        return (image_folder(self.images, image) / f"{file_name(row)}.npz").exists()

    def preview(self, row: str, image: str, observation: Observation, restoration: Restoration, index: int) -> None:
        """Keep PNGs of image `index` of a restored batch."""
        folder = made_folder(self.previews, image)
        self._write_observation_pngs(folder, observation)
        self._write_pngs(folder, row, restoration, index)

    def save_reliance(self, row: str, image: str, arrays: Mapping[str, Tensor]) -> None:
        """Keep what was measured of the reliance of a restoration.

        Raises:
            StorageError: it cannot be written.
        """
        _write_arrays(made_folder(self.reliance, image) / f"{file_name(row)}.npz", arrays)

    def has_reliance(self, row: str, image: str) -> bool:
        """Return whether `save_reliance` kept something of the restoration."""
        return (image_folder(self.reliance, image) / f"{file_name(row)}.npz").exists()

    def read_reliance(self, row: str, image: str) -> dict[str, np.ndarray] | None:
        """Return what `save_reliance` kept, or None if there is nothing.

        Raises:
            SuiteError: it cannot be read.
        """
        path = image_folder(self.reliance, image) / f"{file_name(row)}.npz"
        return _read_arrays(path, "--reliance") if path.exists() else None

    def save_features(self, row: str, image: str, arrays: Mapping[str, Tensor]) -> None:
        """Keep the description (D,) of a restoration, or of the reference as the row `CLEAN`, by metric of sets.

        Raises:
            StorageError: it cannot be written.
        """
        folder = made_folder(self.feature_folder, image)
        known = self.features(row, image)
        _write_arrays(
            folder / f"{file_name(row)}.npz", {**{k: torch.from_numpy(v) for k, v in known.items()}, **arrays}
        )

    def features(self, row: str, image: str) -> dict[str, np.ndarray]:
        """Return what `save_features` kept; empty if there is nothing.

        Raises:
            SuiteError: it cannot be read.
        """
        path = image_folder(self.feature_folder, image) / f"{file_name(row)}.npz"
        return _read_arrays(path) if path.exists() else {}

    def find(self, image: str, file: str) -> Path | None:
        """Return where a picture of an image lies, or None. Those of --save-images are of every image."""
        paths = (image_folder(kept, image) / file for kept in (self.images, self.previews))
        return next((path for path in paths if path.is_file()), None)

    def _save_observation(self, folder: Path, observation: Observation) -> None:
        path = folder / f"{OBSERVATION}.npz"
        if path.exists():
            return
        assert observation.truth is not None
        arrays = {"clean": observation.truth.clean[0], "y": observation.y[0], "mask": observation.mask[0]}
        if observation.truth.sigma is not None:
            arrays["sigma"] = observation.truth.sigma
        _write_arrays(path, arrays)
        self._write_observation_pngs(folder, observation)

    @staticmethod
    def _write_observation_pngs(folder: Path, observation: Observation) -> None:
        assert observation.truth is not None
        for name, pixels in (("clean", observation.truth.clean[0]), ("degraded", as_seen(observation)[0])):
            if not (folder / f"{name}.png").exists():
                write_atomically(folder / f"{name}.png", to_png(pixels))

    @staticmethod
    def _write_pngs(folder: Path, row: str, restoration: Restoration, index: int) -> None:
        name = file_name(row)
        write_atomically(folder / f"{name}.png", to_png(restoration.image[index]))
        phi_map = restoration.phi_map()
        if phi_map is not None:
            write_atomically(folder / f"{name}.phi.png", to_png(phi_map[min(index, len(phi_map) - 1)]))
        prior = restoration.prior
        if prior is not None and not prior.is_complex() and prior.shape == restoration.image.shape:
            write_atomically(folder / f"{name}.prior.png", to_png(prior[index]))

    def saved(self) -> list[str]:
        """Names of the images that were kept.

        Raises:
            SuiteError: none were.
        """
        names = sorted(path.parent.name for path in self.images.glob(f"*/{OBSERVATION}.npz"))
        if not names:
            raise SuiteError(f"{self.images} holds no images: run the benchmark with --save-images first.")
        return names

    def truth(self, image: str) -> tuple[Tensor, Tensor]:
        """Return clean (1,C,H,W) and mask (1,1,H,W) of a kept image."""
        arrays = _read_arrays(image_folder(self.images, image) / f"{OBSERVATION}.npz")
        return torch.from_numpy(arrays["clean"])[None], torch.from_numpy(arrays["mask"])[None]

    def restoration(self, image: str, row: str) -> Tensor:
        """Return a kept restoration (1,C,H,W)."""
        path = image_folder(self.images, image) / f"{file_name(row)}.npz"
        return torch.from_numpy(_read_arrays(path)["image"])[None]


def made_folder(parent: Path, image: str) -> Path:
    """Return the folder of an image, made if it is not there.

    Raises:
        SuiteError: the name of the image is no name of a folder, or it cannot be made.
    """
    folder = image_folder(parent, image)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}.") from error
    return folder


def _write_arrays(path: Path, arrays: Mapping[str, Tensor]) -> None:
    buffer = io.BytesIO()
    plain: dict[str, Any] = {name: array.detach().cpu().numpy() for name, array in arrays.items()}
    np.savez(buffer, **plain)
    write_atomically(path, buffer.getvalue())


def _read_arrays(path: Path, flag: str = "--save-images") -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:  # what is kept is not compressed: nothing unpacks to more than the file
            if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
                raise ValueError("it declares more than it holds")
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except UNREADABLE as error:
        raise SuiteError(f"{path} cannot be read ({error}): delete it and run again with {flag}.") from error


def as_seen(observation: Observation) -> Tensor:
    """Return y to look at: as it is where it has the shape of x, else lifted. The lift of a blur is mostly noise."""
    y = observation.y
    return y if y.shape == observation.operator.image_shape(y.shape) else observation.fidelity
