"""Photographs into files, with what belongs to them: the table of `benchmarks.photographs.files` says what is kept."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image
from torch import Tensor

from benchmarks.photographs.files import PICTURES, Photograph
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.formats import png
from datasets.formats.pixels import upright

JPEG_QUALITY = 95
_BACK = {6: 8, 8: 6}
"""Orientation that undoes another; the rest undo themselves."""
_ORIENTATION = 274
_IHDR = 25
"""Bytes of this chunk of a PNG, which comes first."""

Encode = Callable[[np.ndarray, bytes | None, Photograph], bytes]
"""From stored samples (H,W,C), an ICC profile and the photograph that they belong to, to a file."""


def check_writable(photograph: Photograph, out: Path) -> None:
    """Check that the format of a file keeps what a photograph has.

    Raises:
        SuiteError: it does not, or the ending is not that of a picture.
    """
    kind = _format(out)
    deep, alpha = photograph.bits == 16, photograph.alpha is not None
    reasons = {
        "16 bits per colour": deep and not kind.deep,
        "transparency": alpha and not kind.alpha,
        "a colour profile": photograph.icc is not None and not kind.icc,
        "an EXIF block": photograph.exif is not None and not kind.exif,
        "transparency over 16-bit gray": deep and alpha and photograph.channels == 1 and not kind.deep_gray_alpha,
    }
    for what, lost in reasons.items():
        if lost:
            keeps = "tif" if what.endswith("gray") else "png"
            raise SuiteError(
                f"'{photograph.path}' has {what}, which '{out.name}' cannot keep: let OUT end in .{keeps}."
            )


def write_photograph(out: Path, photograph: Photograph, pixels: Tensor) -> None:
    """Write restored pixels with what belongs to their photograph, after `check_writable`.

    Args:
        pixels: (C,H,W), upright, clipped to [0,1] here; C = 3 where the file had 1 is a result in colour.

    Raises:
        SuiteError: the file cannot be written.
    """
    colours = max(len(pixels), photograph.channels)
    depth = np.uint16 if photograph.bits == 16 else np.uint8
    samples = np.empty((*pixels.shape[1:], colours), depth)
    for place in range(colours):
        plane = pixels[min(place, len(pixels) - 1)]
        samples[..., place] = plane.clamp(0, 1).mul(np.iinfo(depth).max).round().cpu().numpy()
    if photograph.alpha is not None:
        samples = np.dstack([samples, photograph.alpha])
    if _says_orientation(photograph):
        samples = upright(samples, _BACK.get(photograph.orientation, photograph.orientation))
    gray_profile = photograph.icc is not None and photograph.icc[16:20] == b"GRAY"
    icc = None if gray_profile and colours == 3 else photograph.icc
    write_atomically(out, _format(out).encode(np.ascontiguousarray(samples), icc, photograph))


def _says_orientation(photograph: Photograph) -> bool:
    if photograph.exif is None:
        return False
    block = Image.Exif()
    block.load(photograph.exif)
    return block.get(_ORIENTATION) == photograph.orientation


def _pillow(kind: str, **options: object) -> Encode:
    def encode(samples: np.ndarray, icc: bytes | None, photograph: Photograph) -> bytes:
        given = {"exif": photograph.exif, "icc_profile": icc}
        return _saved(samples, kind, **options, **{name: value for name, value in given.items() if value})

    return encode


def _saved(samples: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples.squeeze(2) if samples.shape[2] == 1 else samples).save(buffer, kind, **options)
    return buffer.getvalue()


def _png(samples: np.ndarray, icc: bytes | None, photograph: Photograph) -> bytes:
    if samples.dtype == np.uint8:
        data = _saved(samples, "PNG", compress_level=4)
    else:  # OpenCV's order is BGR
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[samples.shape[2]]
        data = cv2.imencode(".png", samples[..., order])[1].tobytes()
    chunks = list(photograph.chunks)
    if icc is not None:
        chunks.append(_chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc)))
    if photograph.exif is not None:
        chunks.append(_chunk(b"eXIf", photograph.exif.removeprefix(b"Exif\0\0")))
    head = len(png.SIGNATURE) + _IHDR
    return data[:head] + b"".join(chunks) + data[head:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _tiff(samples: np.ndarray, icc: bytes | None, photograph: Photograph) -> bytes:
    buffer = io.BytesIO()
    single = samples.shape[2] == 1
    tifffile.imwrite(
        buffer,
        samples[..., 0] if single else samples,
        photometric="rgb" if samples.shape[2] >= 3 else "minisblack",
        planarconfig=None if single else "contig",
        extrasamples=None if photograph.alpha is None else ["unassalpha"],
        compression="zlib",
        iccprofile=icc,
        metadata=None,
        software=False,
    )
    return buffer.getvalue()


@dataclass(frozen=True)
class _Format:
    """How a format is written, and what it keeps."""

    encode: Encode
    deep: bool = False
    alpha: bool = False
    icc: bool = True
    exif: bool = True
    deep_gray_alpha: bool = False


_JPEG = _Format(_pillow("JPEG", quality=JPEG_QUALITY, subsampling=0))
_TIFF = _Format(_tiff, deep=True, alpha=True, exif=False, deep_gray_alpha=True)
_FORMATS = {
    ".bmp": _Format(_pillow("BMP"), icc=False, exif=False),
    ".jpeg": _JPEG,
    ".jpg": _JPEG,
    ".png": _Format(_png, deep=True, alpha=True),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": _Format(_pillow("WEBP", lossless=True, exact=True), alpha=True),
}


def _format(out: Path) -> _Format:
    found = _FORMATS.get(out.suffix.lower())
    if found is None:
        raise SuiteError(f"'{out}' is no picture by its ending: give one of {', '.join(PICTURES)}.")
    return found
