"""Every rule of `read_image`, on files written here by independent writers."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from datasets.errors import SuiteError
from datasets.images import read_image

H, W = 33, 47
RANDOM = np.random.RandomState(0)
GRAY8 = RANDOM.randint(0, 256, (H, W)).astype(np.uint8)
RGB8 = RANDOM.randint(0, 256, (H, W, 3)).astype(np.uint8)
ALPHA8 = RANDOM.randint(0, 256, (H, W)).astype(np.uint8)
GRAY16 = RANDOM.randint(0, 65536, (H, W)).astype(np.uint16)
RGB16 = RANDOM.randint(0, 65536, (H, W, 3)).astype(np.uint16)
ALPHA16 = RANDOM.randint(0, 65536, (H, W)).astype(np.uint16)


def read(path: Path) -> np.ndarray:
    """The image as (H,W,C), after the checks that hold for every image."""
    image = read_image(path)
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    assert image.shape[0] in (1, 3)
    assert image.min() >= 0
    assert image.max() <= 1
    return image.permute(1, 2, 0).numpy()


def unit(array: np.ndarray) -> np.ndarray:
    return np.atleast_3d(array).astype(np.float64) / np.iinfo(array.dtype).max


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
@pytest.mark.parametrize("pixels", [GRAY8, RGB8], ids=["gray", "rgb"])
def test_8_bit_is_divided_by_255(tmp_path: Path, pixels: np.ndarray, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path, lossless=True)  # WebP's option; the others take no notice
    expected = np.repeat(unit(pixels), 3, axis=2) if ending == "webp" and pixels.ndim == 2 else unit(pixels)
    np.testing.assert_allclose(read(path), expected, rtol=0, atol=1e-7)


def test_jpeg_is_what_pillow_decodes(tmp_path: Path) -> None:
    path = tmp_path / "a.JPG"
    Image.fromarray(RGB8).save(path, format="JPEG", quality=90)
    np.testing.assert_allclose(read(path), unit(np.asarray(Image.open(path))), rtol=0, atol=1e-7)


def test_one_bit_is_zero_or_one_and_gray(tmp_path: Path) -> None:
    bits = GRAY8 > 127
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), bits[..., None].astype(np.float32))


def test_palette_becomes_rgb(tmp_path: Path) -> None:
    palette = RANDOM.randint(0, 256, (256, 3)).astype(np.uint8)
    image = Image.fromarray(GRAY8, mode="L")
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "a.png")
    np.testing.assert_allclose(read(tmp_path / "a.png"), unit(palette[GRAY8]), rtol=0, atol=1e-7)


@pytest.mark.parametrize("pixels", [GRAY8, RGB8], ids=["gray", "rgb"])
def test_alpha_is_composited_over_white(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(np.dstack([pixels, ALPHA8])).save(tmp_path / "a.png")
    a = unit(ALPHA8)
    np.testing.assert_allclose(read(tmp_path / "a.png"), unit(pixels) * a + 1 - a, rtol=0, atol=1e-6)


def test_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(GRAY8 > 127, 1, 0).astype(np.uint8), mode="L")
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.save(tmp_path / "a.png", transparency=1)
    expected = np.where((GRAY8 > 127)[..., None], 1.0, np.array([10, 20, 30]) / 255)
    np.testing.assert_allclose(read(tmp_path / "a.png"), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("pixels", [GRAY16, RGB16], ids=["gray", "rgb"])
def test_16_bit_keeps_its_lower_byte(tmp_path: Path, pixels: np.ndarray, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., ::-1])
    np.testing.assert_allclose(read(path), unit(pixels), rtol=0, atol=1e-7)


def test_16_bit_alpha_is_composited_over_white(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([RGB16[..., ::-1], ALPHA16]))
    a = unit(ALPHA16)
    np.testing.assert_allclose(read(tmp_path / "a.png"), unit(RGB16) * a + 1 - a, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(H, W), (H, W, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_tiff_is_taken_as_it_is(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    pixels: np.ndarray = RANDOM.random_sample(shape).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tiff", pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    np.testing.assert_array_equal(read(tmp_path / "a.tiff"), np.atleast_3d(pixels).astype(np.float32))


@pytest.mark.parametrize("pixels", [GRAY8, RGB16, unit(RGB8), unit(GRAY16)], ids=["u8", "u16", "rgb", "gray"])
def test_npy(tmp_path: Path, pixels: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", pixels)
    expected = np.atleast_3d(pixels) if pixels.dtype.kind == "f" else unit(pixels)
    np.testing.assert_allclose(read(tmp_path / "a.npy"), expected, rtol=0, atol=1e-7)


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.fliplr(np.rot90(a, -1)),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.fliplr(np.rot90(a, 1)),
    8: lambda a: np.rot90(a, 1),
}
"""EXIF orientation: what brings the stored rows and columns upright (EXIF 2.3, tag 0x0112)."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_is_applied_at_every_depth(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(RGB8).save(tmp_path / "8.png", exif=exif)
    np.testing.assert_allclose(read(tmp_path / "8.png"), UPRIGHT[orientation](unit(RGB8)), rtol=0, atol=1e-7)

    cv2.imwrite(str(tmp_path / "16.png"), RGB16[..., ::-1])
    stored = (tmp_path / "16.png").read_bytes()
    block = (tmp_path / "8.png").read_bytes()
    start = block.find(b"eXIf") - 4
    if orientation != 1:
        chunk = block[start : start + 12 + int.from_bytes(block[start : start + 4], "big")]
        stored = stored[:33] + chunk + stored[33:]
    (tmp_path / "16.png").write_bytes(stored)
    np.testing.assert_allclose(read(tmp_path / "16.png"), UPRIGHT[orientation](unit(RGB16)), rtol=0, atol=1e-7)

    for pixels in (GRAY8, RGB16):
        tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[(274, "H", 1, orientation, True)])
        np.testing.assert_allclose(read(tmp_path / "a.tif"), UPRIGHT[orientation](unit(pixels)), rtol=0, atol=1e-7)


def test_smallest_size_is_taken_and_a_pixel_less_is_refused(tmp_path: Path) -> None:
    Image.fromarray(GRAY8[:16, :16]).save(tmp_path / "ok.png")
    assert read(tmp_path / "ok.png").shape == (16, 16, 1)
    Image.fromarray(GRAY8[:15, :40]).save(tmp_path / "small.png")
    refused(tmp_path / "small.png", "tiny, 40x15")


def refused(path: Path, why: str) -> None:
    with pytest.raises(SuiteError) as caught:
        read_image(path)
    message = str(caught.value)
    assert why in message
    assert path.name in message
    assert "\n" not in message


def encoded(pixels: np.ndarray, ending: str) -> bytes:
    if pixels.dtype == np.uint8:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format={"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending))
        return stream.getvalue()
    return cv2.imencode(f".{ending}", pixels)[1].tobytes()


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "bmp"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, ending: str, share: float) -> None:
    data = encoded(RGB8, ending)
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "truncated")


@pytest.mark.parametrize(
    ("ending", "pixels"),
    [("png", GRAY16), ("png", RGB16), ("tif", GRAY16), ("tif", RGB16), ("tif", unit(RGB8).astype(np.float32))],
    ids=["png-gray16", "png-rgb16", "tif-gray16", "tif-rgb16", "tif-float"],
)
def test_truncated_deep_files_are_refused_quietly(
    tmp_path: Path, ending: str, pixels: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(pixels, ending)
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(data[: int(0.7 * len(data))])
    refused(path, "truncated")
    assert capfd.readouterr().err == ""


def test_a_flipped_byte_in_a_png_is_refused(tmp_path: Path) -> None:
    data = bytearray(encoded(RGB8, "png"))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "broken.png").write_bytes(data)
    refused(tmp_path / "broken.png", "broken")


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("not an image at all")
    refused(tmp_path / "note.png", "not a PNG")
    (tmp_path / "zero.png").write_bytes(b"")
    refused(tmp_path / "zero.png", "empty")
    (tmp_path / "a.npy").write_bytes(b"no array")
    refused(tmp_path / "a.npy", "not a readable .npy")
    refused(tmp_path / "nowhere.png", "No such file")
    refused(tmp_path, "cannot be read")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 1.01])
@pytest.mark.parametrize("ending", ["npy", "tif"])
def test_values_that_are_no_image_are_refused(tmp_path: Path, value: float, ending: str) -> None:
    pixels = unit(RGB8).astype(np.float32)
    pixels[5, 6, 1] = value
    path = tmp_path / f"a.{ending}"
    np.save(path, pixels) if ending == "npy" else tifffile.imwrite(path, pixels, photometric="rgb")
    refused(path, "values")


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (np.zeros((H, W, 2)), "shape"),
        (np.zeros((3, H, W, 3)), "shape"),
        (np.zeros(100), "shape"),
        (np.zeros((H, W), np.int64), "int64"),
        (np.zeros((H, W), complex), "complex128"),
        (np.zeros((H, W), object), "not a readable"),
    ],
)
def test_arrays_of_other_shapes_and_types_are_refused(tmp_path: Path, pixels: np.ndarray, why: str) -> None:
    np.save(tmp_path / "a.npy", pixels)
    refused(tmp_path / "a.npy", why)


def test_unclear_encodings_are_refused(tmp_path: Path) -> None:
    Image.fromarray(RGB8).convert("CMYK").save(tmp_path / "cmyk.jpg")
    refused(tmp_path / "cmyk.jpg", "CMYK")
    tifffile.imwrite(tmp_path / "int.tif", GRAY16.astype(np.int32))
    refused(tmp_path / "int.tif", "int32")
    tifffile.imwrite(tmp_path / "white.tif", GRAY16, photometric="miniswhite")
    refused(tmp_path / "white.tif", "white as zero")


@pytest.mark.parametrize("pixels", [RGB8, RGB16, unit(RGB8).astype(np.float32)], ids=["u8", "u16", "float"])
def test_several_pages_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with tifffile.TiffWriter(tmp_path / "stack.tif") as writer:
        for _ in range(2):
            writer.write(pixels, photometric="rgb")
    refused(tmp_path / "stack.tif", "2 pages")
