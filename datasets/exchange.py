"""`observations.json`: what was exported to be restored elsewhere, so that a result finds the image it belongs to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from datasets.errors import SuiteError
from datasets.observation import Observation

VERSION = 1
"""Of the format; another is refused."""
MANIFEST = "observations.json"
LARGEST = 256 * 2**20
"""Bytes of an observations.json that are read."""
ABOUT = (
    "npy: y as float32 (H,W) or (H,W,3), not clipped. mat: y, mask (1 observed, 0 hole) and sigma ([] if hidden). "
    "png: y clipped to [0,1] and rounded to 16 bit, to look at and not to restore. mask: 1 observed, 0 hole. "
    "sha256: of the float32 bytes of y, little-endian, rows first. sigma: 0–255 scale, null if hidden. "
    "Save the restoration of each image as RESULT.npy, .mat, .png or .tif, RESULT being its 'result' here."
)


@dataclass(frozen=True)
class Exported:
    """One exported image.

    Attributes:
        name: of the image in its set.
        result: name of a file with its restoration, without the ending; files of the export have it too.
        files: format → file, relative to the folder of the export.
        sha256, mask_sha256: of y and of the mask (see `digests`); None without holes.
        shape: of y as stored, (H,W) or (H,W,3).
        sigma: on the 0–255 scale; None if it is hidden, or if the noise has no one level.
        clean_sha256: of the file of the clean image.
    """

    name: str
    result: str
    files: Mapping[str, str]
    sha256: str
    mask_sha256: str | None
    shape: tuple[int, ...]
    sigma: float | None
    clean_sha256: str

    @property
    def key(self) -> tuple[str, str | None]:
        """What identifies the observation: see `digests`."""
        return self.sha256, self.mask_sha256


@dataclass(frozen=True)
class Observations:
    """The observations of a setting.

    Attributes:
        task, dataset: labels, as in records and random keys.
        task_spec, dataset_spec: texts that make them again.
        limit: only so many images were asked for; None: all.
    """

    task: str
    task_spec: str
    dataset: str
    dataset_spec: str
    split: str
    seed: int
    limit: int | None
    images: tuple[Exported, ...]

    @property
    def label(self) -> str:
        """The setting: `denoise sigma=25 on photos (test), seed 0`."""
        return f"{self.task} on {self.dataset} ({self.split}), seed {self.seed}"

    @property
    def example(self) -> str:
        """Names that results may have: `astronaut.npy, .mat, .tif or .png`."""
        return f"{self.images[0].result}.npy, .mat, .tif or .png"

    @cached_property
    def by_key(self) -> Mapping[tuple[str, str | None], Exported]:
        """The images by the digests of their observations; of equal ones the first."""
        return {image.key: image for image in reversed(self.images)}

    def to_json(self) -> bytes:
        """The content of an observations.json."""
        return (json.dumps({"version": VERSION, "about": ABOUT, **asdict(self)}, indent=1) + "\n").encode()


def stored(pixels: Tensor) -> np.ndarray:
    """Return pixels (C,H,W) as they are stored: (H,W), or (H,W,C) if C > 1, little-endian float32."""
    array = pixels.detach().cpu().numpy().astype("<f4").transpose(1, 2, 0)
    return np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array)


def holes(observation: Observation) -> Tensor | None:
    """Return the mask (1,H,W) of a batch of one, or None if every pixel was observed."""
    mask = observation.mask[0]
    return None if bool((mask == 1).all()) else mask


def digests(observation: Observation) -> tuple[str, str | None]:
    """Return SHA-256 of the stored bytes of y and, if there are holes, of the mask; for a batch of one."""
    mask = holes(observation)
    return _sha256(observation.y[0]), None if mask is None else _sha256(mask)


def _sha256(pixels: Tensor) -> str:
    return hashlib.sha256(stored(pixels).tobytes()).hexdigest()


def read_observations(folder: Path) -> Observations:
    """Read and check the observations.json of a folder.

    Raises:
        SuiteError: it is not there, cannot be read, is of another version, or lacks something.
    """
    path = folder / MANIFEST
    try:
        stat = path.stat()
        if stat.st_size > LARGEST:
            raise SuiteError(f"{path} has over {LARGEST >> 20} MiB and is not read: export again.")
        return _read(path, stat.st_size, stat.st_mtime_ns)
    except FileNotFoundError:
        raise SuiteError(f"{folder} has no {MANIFEST}: copy it there from the folder of the export.") from None
    except (OSError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise SuiteError(f"{path} cannot be read ({said}): copy it again from the folder of the export.") from error


@cache
def _read(path: Path, size: int, mtime_ns: int) -> Observations:
    # Size and time are part of the cache's key: a file that changes is read again.
    values = json.loads(path.read_bytes())
    if not isinstance(values, dict) or values.get("version") != VERSION:
        version = values.get("version") if isinstance(values, dict) else None
        raise ValueError(f"version {version!r}, this suite reads {VERSION}")
    images = values.get("images")
    if not isinstance(images, list) or not images:
        raise ValueError("it names no images")
    read = [_checked(Exported, image) for image in images]
    found: Observations = _checked(Observations, values | {"images": tuple(read)})
    results = [image.result for image in found.images]
    if len(set(results)) < len(results) or any(Path(result).name != result for result in results):
        raise ValueError("names of results are no file names, or not all different")
    return found


_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,), "str": (str,), "str | None": (str, type(None)), "int | None": (int, type(None)),
    "float | None": (float, int, type(None)), "Mapping[str, str]": (dict,), "tuple[int, ...]": (list,),
    "tuple[Exported, ...]": (tuple,),
}  # fmt: skip


def _checked(cls: Any, values: Any) -> Any:
    """Make a dataclass of plain values, every one of the type that its field has."""
    given = {}
    for field in fields(cls):
        value = values.get(field.name) if isinstance(values, dict) else None
        if not isinstance(value, _KINDS[str(field.type)]) or isinstance(value, bool):
            raise ValueError(f"{field.name} is missing or of a wrong type")
        given[field.name] = tuple(value) if isinstance(value, list) else value
    return cls(**given)
