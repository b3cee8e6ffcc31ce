"""The pictures of a report: what a run kept, how far they differ, and as many of them as fit into the file.

Differences are computed from the 8-bit files themselves. What is embedded for display is the files as they are where
that fits, and otherwise JPEG without chroma subsampling, of falling quality; then the least telling images are left
out. The page says which of this happened.
"""

from __future__ import annotations

import base64
import io
import itertools
import struct
import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from benchmarks.folder.pictures import file_name
from benchmarks.report.merge import Merged
from benchmarks.tables.colours import PHI_COLOURS
from datasets.errors import SuiteError

CLEAN, DEGRADED = "clean", "degraded"
RESTORED, PRIOR, PHI, IMPLIED = "x:", "g:", "phi:", "implied:"
"""What the key of a picture begins with: x̂, g, φ and the measured reliance of a row."""
THUMBNAIL = 96
MOST_READ = 200
"""Images of a setting whose pictures are read: to compare all pictures of thousands takes minutes."""
QUALITIES = (None, 97, 93, 88, 80)
"""JPEG qualities to try in turn; None is the file as it is."""
BASE64 = 4 / 3
LARGEST, LONGEST = 64 * 2**20, 65_500
"""Pixels, and pixels of a side, of a picture that is read; a JPEG cannot have more of a side."""
UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, zlib.error, MemoryError,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises on damaged PNGs."""


@dataclass
class Shown:
    """The pictures of one image of a setting.

    Attributes:
        paths: key → file, of all that can be read and are of one size.
        maps: key → data URI of maps that are small and no files: the measured reliance, clipped to [0,1].
        layers: the keys among them that are images (not maps of φ).
        differences: root mean square difference of every two layers on the 0–255 scale, in the order of
            `itertools.combinations(layers, 2)`.
        thumbnail: a small picture as a data URI, or "".
        size: width, height.
    """

    image: str
    paths: dict[str, Path] = field(default_factory=dict)
    maps: dict[str, str] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    thumbnail: str = ""
    size: tuple[int, int] = (0, 0)

    @property
    def spread(self) -> float:
        """The largest difference between two restorations."""
        pairs = zip(itertools.combinations(self.layers, 2), self.differences, strict=True)
        return max((d for (a, b), d in pairs if a.startswith(RESTORED) and b.startswith(RESTORED)), default=0.0)


def find_pictures(
    merged: Merged, rows: Sequence[str], scores: Mapping[str, float] | None = None
) -> tuple[list[Shown], list[str]]:
    """Look for the pictures of every image of a setting; of many, read those of `MOST_READ` images.

    Args:
        rows: of which there may be pictures.
        scores: image → mean over the methods, higher is better: decides which of many are read.

    Returns:
        one entry per image in the order of the records, and what cannot be read or is not followed.
    """
    damaged: list[str] = []
    every = list(dict.fromkeys(merged.records.image))
    read = set(sample([image for image in every if merged.has_pictures(image)], scores or {}))
    return [_find(merged, image, rows, damaged) if image in read else Shown(image) for image in every], damaged


def sample(images: Sequence[str], scores: Mapping[str, float]) -> list[str]:
    """Return no more than `MOST_READ` of the images: a quarter the worst, a quarter the best, evenly of the others.

    Args:
        scores: image → mean over the methods, higher is better; images that are missing are neither worst nor best.
    """
    if len(images) <= MOST_READ:
        return list(images)
    ranked = sorted((image for image in images if image in scores), key=lambda image: scores[image])
    quarter = MOST_READ // 4
    chosen = {*ranked[:quarter], *ranked[max(0, len(ranked) - quarter) :]}
    others = [image for image in images if image not in chosen]
    count = MOST_READ - len(chosen)
    chosen |= {others[place * len(others) // count] for place in range(count)}
    return [image for image in images if image in chosen]


def _find(merged: Merged, image: str, rows: Sequence[str], damaged: list[str]) -> Shown:
    wanted = {CLEAN: "clean.png", DEGRADED: "degraded.png"}
    for row in rows:
        name = file_name(row)
        wanted |= {RESTORED + row: f"{name}.png", PRIOR + row: f"{name}.prior.png", PHI + row: f"{name}.phi.png"}
    shown = Shown(image)
    pixels: dict[str, np.ndarray] = {}
    for key, file in wanted.items():
        try:
            path = merged.find(image, file)
            picture = None if path is None else open_png(path)
        except SuiteError:
            damaged.append(f"{image}/{file}")
            continue
        if path is None or picture is None:
            continue
        shown.size = shown.size if shown.paths else picture.size
        if picture.size == shown.size:
            shown.thumbnail = shown.thumbnail or _thumbnail(picture)
            shown.paths[key] = path
            if not key.startswith(PHI):
                pixels[key] = np.asarray(picture).ravel()
    for row in rows if shown.paths else ():
        try:
            implied = merged.implied(image, row)
        except SuiteError:
            damaged.append(f"reliance of {row} on {image}")
            continue
        if implied is not None:
            levels = (np.nan_to_num(implied).clip(0, 1) * 255).round().astype(np.uint8)
            shown.maps[IMPLIED + row] = _uri(_bytes(Image.fromarray(levels), "PNG"), "png")
    shown.layers = list(pixels)
    shown.differences = _differences(list(pixels.values()))
    return shown


def open_png(path: Path) -> Image.Image:
    """Read a PNG, and nothing else that may be called so, as RGB.

    Raises:
        SuiteError: it is no PNG, is damaged, or declares more pixels than are read (then none is decoded).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is looked at here
            with Image.open(path, formats=["PNG"]) as picture:
                if picture.width * picture.height > LARGEST or max(picture.size) > LONGEST:
                    raise SuiteError(f"{path} declares {picture.width}×{picture.height} pixels and is not read.")
                return picture.convert("RGB")
    except UNREADABLE as error:
        raise SuiteError(f"{path} is no picture that can be read ({type(error).__name__}).") from error


def coloured(path: Path) -> bytes:
    """Return a PNG of a map of φ in the colours that φ has in all figures.

    Raises:
        SuiteError: as `open_png`.
    """
    levels = np.asarray(open_png(path).convert("L"))
    shades = (matplotlib.colormaps[PHI_COLOURS](levels)[..., :3] * 255).round().astype(np.uint8)
    return _bytes(Image.fromarray(shades), "PNG")


def _differences(images: Sequence[np.ndarray]) -> list[float]:
    pairs = itertools.combinations(images, 2)
    return [round(_root_mean_square(a, b), 2) for a, b in pairs]


def _root_mean_square(a: np.ndarray, b: np.ndarray) -> float:
    """Of the difference of two arrays of 8-bit levels."""
    return float(np.sqrt(np.mean(np.square(np.subtract(a, b, dtype=np.int16), dtype=np.int32), dtype=np.float64)))


def _thumbnail(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _uri(_bytes(small, "JPEG", quality=80), "jpeg")


def _bytes(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _encode(path: Path, quality: int | None) -> str:
    if quality is None:
        return _uri(path.read_bytes(), "png")
    return _uri(_bytes(open_png(path), "JPEG", quality=quality, subsampling=0), "jpeg")


def telling(pictures: Sequence[Shown], scores: dict[str, float]) -> list[Shown]:
    """Order images by what a reader looks for first: in turn the most disputed, the worst and the best.

    Args:
        pictures: the images that have pictures.
        scores: image → mean over the methods, higher is better; images that are missing count as middling.
    """
    middle = float(np.median(list(scores.values()))) if scores else 0.0
    disputed = sorted(pictures, key=lambda shown: -shown.spread)
    worst = sorted(pictures, key=lambda shown: scores.get(shown.image, middle))
    turns = itertools.chain.from_iterable(zip(disputed, worst, reversed(worst), strict=True))
    return list({id(shown): shown for shown in turns}.values())


def embed(pictures: Iterable[Shown], room: float) -> tuple[dict[int, dict[str, str]], int | None]:
    """Encode pictures as data URIs, at the best quality at which all fit, or the first that fit at the lowest.

    Args:
        pictures: in the order in which they matter.
        room: bytes that the URIs may take.

    Returns:
        id of the `Shown` → key → data URI, and the JPEG quality (None: the files as they are).
    """
    ordered = list(pictures)
    quality = next((q for q in QUALITIES if _estimate(ordered, q) <= room), QUALITIES[-1])
    chosen: dict[int, dict[str, str]] = {}
    for shown in ordered:
        uris = shown.maps | {key: _encode(path, quality) for key, path in shown.paths.items()}
        room -= sum(map(len, uris.values()))
        if room < 0:
            break
        chosen[id(shown)] = uris
    return chosen, quality


def _estimate(pictures: Sequence[Shown], quality: int | None) -> float:
    """Bytes that all pictures would take: exact for files as they are, else from the first image, with a margin."""
    if not pictures:
        return 0
    stored = [sum(path.stat().st_size for path in shown.paths.values()) for shown in pictures]
    maps = sum(len(uri) for shown in pictures for uri in shown.maps.values())
    if quality is None:
        return maps + BASE64 * sum(stored)
    first = sum(len(_encode(path, quality)) for path in pictures[0].paths.values())
    return maps + 1.1 * first / stored[0] * sum(stored)
