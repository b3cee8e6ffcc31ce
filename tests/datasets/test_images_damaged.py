"""What `read_image` says of arrays and pictures that are damaged, huge or out of range."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import SuiteError
from datasets.images import read_image
from tests.datasets import layouts

H, W = 19, 23
VALUES = np.random.RandomState(0).random_sample((H, W, 3))


def refused(path: Path, data: bytes, why: str) -> None:
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(SuiteError, match=re.escape(why)) as caught:
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"image '{path}' ")
    assert "\n" not in str(caught.value)


def npy(header: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode("latin1") + body


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["|u1", ">u2", "<u2", ">f2", ">f4", ">f8", "<f8"])
@pytest.mark.parametrize("shape", [(H, W), (H, W, 1), (H, W, 3)])
def test_npy_of_every_byte_and_index_order(tmp_path: Path, shape: tuple[int, ...], dtype: str, order: str) -> None:
    full = np.iinfo(dtype).max if "u" in dtype else 1
    array = np.asarray(VALUES[..., : shape[-1] if len(shape) == 3 else 1].reshape(shape) * full, dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    expected = np.atleast_3d(array.astype(np.float64)) / full
    np.testing.assert_allclose(read_image(tmp_path / "a.npy").permute(1, 2, 0), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (VALUES > 0.5, "bool numbers"),
        (VALUES.astype(">i4"), "int32 numbers"),
        (VALUES[..., 0].astype([("a", "f4"), ("b", "u1")]), "numbers"),
        (VALUES.astype("U3"), "numbers"),
        (VALUES.astype("datetime64[s]"), "numbers"),
        (np.array(1.0), "shape ()"),
        (np.zeros((0, 20, 3)), "tiny, 20x0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_npy_of_other_things_is_refused(tmp_path: Path, array: np.ndarray, why: str) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    refused(tmp_path / "a.npy", stream.getvalue(), why)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (20, 20), }\n"[:40],
        "{'descr': '<f4', 'fortran_order': False, 'shape': (20, 20), 'more': 1}\n",
        "{'descr': '<q9', 'fortran_order': False, 'shape': (20, 20), }\n",
        "{'descr': '<f4', 'fortran_order': 3, 'shape': (20, '20'), }\n",
        "(" * 5000,
        "{'a': " * 900,
        "'''\n",
        "\0\0\0\0",
        "1" * 9000,
        "",
    ],
)
def test_npy_with_a_broken_header_is_refused(tmp_path: Path, header: str) -> None:
    refused(tmp_path / "a.npy", npy(header, bytes(1600)), "is not a readable .npy file")


def test_an_archive_or_a_pickle_that_is_called_npy_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, VALUES)
    for data in (stream.getvalue(), stream.getvalue()[:-40], b"PK\x03\x04", b"\x80\x04K\x01.", b"\x93NUMPY\x09\0"):
        refused(tmp_path / "a.npy", data, "is not a readable .npy file")


def test_npy_must_hold_what_it_declares(tmp_path: Path) -> None:
    header = "{{'descr': '<f8', 'fortran_order': False, 'shape': {}, }}\n"
    path = tmp_path / "a.npy"
    refused(path, npy(header.format((5000, 6000, 3)), bytes(100)), "is truncated, 100 of the 720000000 bytes")
    refused(
        path, npy(header.format((60000, 60000, 3)), bytes(100)), "is 60000x60000, 3600.0 megapixels, over the limit"
    )
    refused(path, npy(header.format((-20, -20))), "has shape (-20, -20)")
    refused(path, npy(header.format((True, 20, 1))), "tiny")
    refused(path, npy(header.format((20, 20)), bytes(3201)), "holds 1 bytes behind its array")


def test_values_out_of_range_are_told_with_enough_digits(tmp_path: Path) -> None:
    for value, text in (
        (np.nextafter(np.float32(1), np.float32(2)), "to 1.0000001:"),
        (-(2.0**-30), "from -9.3132257e-10 to"),
    ):
        pixels = VALUES.astype(np.float32)
        pixels[1, 2, 1] = value
        stream = io.BytesIO()
        np.save(stream, pixels)
        refused(tmp_path / "a.npy", stream.getvalue(), text)
        refused(tmp_path / "a.tif", layouts.tiff(pixels), text)
    huge = io.BytesIO()
    np.save(huge, VALUES * 1e300)
    refused(tmp_path / "a.npy", huge.getvalue(), "infinite")


def test_float_samples_out_of_range_are_refused_under_transparency_too(tmp_path: Path) -> None:
    samples = np.dstack([VALUES, VALUES[..., 0]]).astype(np.float32)
    samples[3, 4] = (0.5, 0.5, 7, 0)
    refused(tmp_path / "a.tif", layouts.tiff(samples, alpha="unassalpha"), "values from")
    samples[3, 4] = (0.5, 0.5, 0.5, 1.5)
    refused(tmp_path / "a.tif", layouts.tiff(samples, alpha="unassalpha"), "values from")


def declaring(ending: str, width: int, height: int) -> bytes:
    """A small picture whose header declares another size."""
    pixels = Image.fromarray((VALUES * 255).astype(np.uint8))
    stream = io.BytesIO()
    pixels.save(stream, format={"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending), lossless=True)
    data = stream.getvalue()
    if ending == "png":
        size = data[12:16] + struct.pack(">II", width, height) + data[24:29]
        return data[:8] + layouts.chunk(b"IHDR", size[4:]) + data[33:]
    if ending == "bmp":
        return data[:18] + struct.pack("<ii", width, height) + data[26:]
    if ending == "jpg":
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    if ending == "webp":
        bits = struct.pack("<I", (width - 1) | (height - 1) << 14)
        return data[:21] + bits + data[25:]
    at = data.index(struct.pack("<HHI", 256, 4, 1))
    data = data[: at + 8] + struct.pack("<I", width) + data[at + 12 :]
    return data[: at + 20] + struct.pack("<I", height) + data[at + 24 :]


@pytest.mark.parametrize("ending", ["png", "bmp", "jpg", "tif", "webp"])
def test_the_size_and_the_limit_of_a_huge_picture_are_told(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    why = "is 16000x12500, 200.0 megapixels, over the limit of 100" if ending in ("png", "tif") else "200000000"
    refused(path, declaring(ending, 16000, 12500), why)
    refused(path, declaring(ending, 9000, 9000), "is ")  # within the limit, but not there


def test_a_picture_at_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.formats.pixels.MOST_PIXELS", H * W)
    monkeypatch.setattr("datasets.formats.pillow.MOST_PIXELS", H * W)
    for ending in ("png", "bmp", "jpg", "tif", "webp"):
        path = tmp_path / f"a.{ending}"
        Image.fromarray((VALUES * 255).astype(np.uint8)).save(path)
        assert read_image(path).shape == (3, H, W)


def test_a_wrong_checksum_in_a_png_is_refused(tmp_path: Path) -> None:
    data = bytearray(layouts.png((VALUES * 255).astype(np.uint8), 8, 2))
    data[-16] ^= 1  # the last byte of the checksum of IDAT
    refused(tmp_path / "a.png", bytes(data), "wrong checksum of chunk IDAT")
    refused(tmp_path / "a.png", bytes(data[:-12]), "truncated")


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 300 + ".png"], ids=["nul", "long"])
def test_a_path_that_cannot_be_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SuiteError, match="cannot be read"):
        read_image(tmp_path / name)
