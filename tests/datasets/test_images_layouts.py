"""`read_image` on every layout of samples in PNG and TIFF: what arithmetic says, or refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from datasets.errors import SuiteError
from datasets.images import read_image
from tests.datasets import layouts

H, W = 19, 23
DEPTHS = {"u8": np.uint8, "u16": np.uint16, "f16": np.float16, "f32": np.float32, "f64": np.float64}

LAYOUTS = [
    pytest.param(planar, alpha, colours, id=f"{'planar' if planar else 'contig'}-{alpha}-{colours}")
    for planar in (False, True)
    for alpha in (None, "unassalpha", "assocalpha")
    for colours in (1, 3)
    if colours > 1 or alpha or not planar  # one sample has no planes
]
"""Separate planes or not, what the alpha channel is, and the number of colours."""


def stored(colours: int, alpha: str | None, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Random samples (H,W,C) with alpha last, and the image (H,W,C) over white that they mean."""
    random = np.random.RandomState(colours)
    full = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    values = random.random_sample((H, W, colours + (alpha is not None)))
    values[3:6, 4:9, -1] = 0
    values[8:11, 4:9, -1] = 1
    if alpha == "assocalpha":
        values[..., :-1] *= values[..., -1:]
    samples = (np.floor(values * full) if full > 1 else values).astype(dtype)
    image = samples.astype(np.float64) / full
    if alpha == "assocalpha":
        image = image[..., :-1] + 1 - image[..., -1:]
    elif alpha == "unassalpha":
        image = image[..., :-1] * image[..., -1:] + 1 - image[..., -1:]
    return samples, image


def check(path: Path, expected: np.ndarray) -> None:
    np.testing.assert_allclose(read_image(path).permute(1, 2, 0).numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("planar", "alpha", "colours"), LAYOUTS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_tiff(tmp_path: Path, depth: str, planar: bool, alpha: str | None, colours: int) -> None:
    samples, expected = stored(colours, alpha, DEPTHS[depth])
    whole = depth.startswith("u")
    for number, more in enumerate(
        [
            {},
            {"byteorder": ">"},
            {"compression": "deflate"},
            {"compression": "deflate", "predictor": whole, "byteorder": ">"},
            {"compression": "deflate", "rowsperstrip": 5},
            {"tile": (16, 16)},
            {"bigtiff": True, "byteorder": ">"},
        ]
    ):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(layouts.tiff(samples, planar, alpha, **more))
        check(path, expected)


@pytest.mark.parametrize(("planar", "alpha", "colours"), LAYOUTS)
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("number", "compress"), [(5, layouts.lzw), (32773, layouts.packbits)], ids=["lzw", "packbits"])
def test_tiff_of_other_compressions_is_read_where_libraries_agree(
    tmp_path: Path,
    number: int,
    compress: Callable[[bytes], bytes],
    depth: str,
    planar: bool,
    alpha: str | None,
    colours: int,
) -> None:
    samples, expected = stored(colours, alpha, DEPTHS[depth])
    # What Pillow reads up to 8 bit, and OpenCV above.
    if depth == "u8":
        common = alpha != "assocalpha" and not (planar and colours == 1)
    else:
        common = not planar and not (alpha and colours == 1) and depth != "f16"
    for order in "<>":
        path = tmp_path / "a.tif"
        path.write_bytes(
            layouts.compressed(layouts.tiff(samples, planar, alpha, byteorder=order, rowsperstrip=H), number, compress)
        )
        if common:
            check(path, expected)
        else:
            with pytest.raises(SuiteError, match="deflate"):
                read_image(path)


@pytest.mark.parametrize("colours", [1, 3], ids=["gray", "rgb"])
@pytest.mark.parametrize("planar", [False, True], ids=["contig", "planar"])
@pytest.mark.parametrize("depth", ["u8", "u16", "f32"])
def test_tiff_turns_upright_in_every_layout(tmp_path: Path, depth: str, planar: bool, colours: int) -> None:
    samples, expected = stored(colours, "unassalpha", DEPTHS[depth])
    data = layouts.tiff(samples, planar, "unassalpha", extratags=[(274, "H", 1, 6, True)], rowsperstrip=H)
    (tmp_path / "a.tif").write_bytes(data)
    check(tmp_path / "a.tif", np.rot90(expected, -1))
    if colours == 3 and not planar:
        (tmp_path / "a.tif").write_bytes(layouts.compressed(data, 5, layouts.lzw))
        check(tmp_path / "a.tif", np.rot90(expected, -1))


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_predictors_of_floats(tmp_path: Path, order: str) -> None:
    samples, expected = stored(3, None, np.float32)
    # The writer keeps tag 317 to itself: name the predictor in 316 and rename that.
    names = [struct.pack(f"{order}HHI", tag, 3, 1) for tag in (316, 317)]
    words = samples.view(np.uint32)
    horizontal = np.diff(words, axis=1, prepend=np.uint32(0)).view(np.float32)
    planes = samples.astype(">f4").view(np.uint8).reshape(H, W * 3, 4).transpose(0, 2, 1).reshape(H, -1)
    floating = np.concatenate([planes[:, :3], planes[:, 3:] - planes[:, :-3]], axis=1)
    path = tmp_path / "a.tif"
    for predictor, pixels, encode in (
        (2, horizontal, zlib.compress),
        (2, horizontal, layouts.lzw),
        (3, samples, lambda _: zlib.compress(floating.tobytes())),
    ):
        data = layouts.tiff(pixels, byteorder=order, rowsperstrip=H, extratags=[(316, "H", 1, predictor, True)])
        path.write_bytes(data.replace(*names))
        with pytest.raises(SuiteError, match="predictor"):
            read_image(path)
        path.write_bytes(layouts.compressed(data, 5 if encode is layouts.lzw else 8, encode).replace(*names))
        check(path, expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_tiff_of_few_bits(tmp_path: Path, photometric: str, bits: int) -> None:
    values = np.random.RandomState(bits).randint(0, 2**bits, (H, 24))
    packed = np.packbits(
        np.unpackbits(values[..., None].astype(np.uint8), axis=2)[..., 8 - bits :].reshape(H, -1), axis=1
    )
    data = layouts.tiff(packed[..., None], photometric=photometric)
    stream = io.BytesIO(data)
    with tifffile.TiffFile(stream) as file:
        file.pages[0].tags[256].overwrite(24)
        file.pages[0].tags[258].overwrite(bits)
    (tmp_path / "a.tif").write_bytes(stream.getvalue())
    gray = values[..., None] / (2**bits - 1)
    check(tmp_path / "a.tif", gray if photometric == "minisblack" else 1 - gray)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_channels_of_unknown_meaning_are_refused(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "a.tif"
    for colours in (1, 3):
        samples, _ = stored(colours, "unassalpha", dtype)
        path.write_bytes(layouts.tiff(samples, alpha="unspecified"))
        with pytest.raises(SuiteError, match="does not say if it is alpha"):
            read_image(path)
        more = np.dstack([samples, samples[..., :1]])
        path.write_bytes(
            layouts.tiff(
                more,
                alpha="x",
                photometric="rgb" if colours == 3 else "minisblack",
                extrasamples=["unassalpha", "unspecified"],
            )
        )
        with pytest.raises(SuiteError, match=f"{colours + 2} channels"):
            read_image(path)
    samples, _ = stored(3, "unassalpha", dtype)
    path.write_bytes(layouts.tiff(samples, alpha="assocalpha"))
    with pytest.raises(SuiteError, match="premultiplied"):
        read_image(path)


def test_tiff_without_a_strip_or_with_signed_numbers_is_refused(tmp_path: Path) -> None:
    samples, _ = stored(3, None, np.uint8)
    path = tmp_path / "a.tif"
    for compression in (None, "deflate"):
        stream = io.BytesIO(layouts.tiff(samples, rowsperstrip=5, compression=compression))
        with tifffile.TiffFile(stream) as file:
            counts = file.pages[0].databytecounts
            file.pages[0].tags[279].overwrite([*counts[:2], 0, *counts[3:]])
        path.write_bytes(stream.getvalue())
        with pytest.raises(SuiteError, match="strips or tiles are missing"):
            read_image(path)
    for dtype in (np.int8, np.int16, np.uint32):
        path.write_bytes(layouts.tiff(samples.astype(dtype)))
        with pytest.raises(SuiteError, match=np.dtype(dtype).name):
            read_image(path)


@pytest.mark.parametrize(
    ("colours", "depth", "alpha"),
    [(1, depth, None) for depth in (1, 2, 4)]
    + [(colours, depth, alpha) for colours in (1, 3) for depth in (8, 16) for alpha in (None, "unassalpha")],
)
@pytest.mark.parametrize("key", [False, True], ids=["", "tRNS"])
def test_png(tmp_path: Path, key: bool, colours: int, depth: int, alpha: str | None) -> None:
    samples, expected = stored(colours, alpha, np.uint16 if depth == 16 else np.uint8)
    if depth < 8:
        samples = samples >> (8 - depth)
        expected = samples / (2**depth - 1)
    chunks = []
    if key:
        colour = samples[5, 5, :colours].copy()
        chunks = [(b"tRNS", colour.astype(">u2").tobytes())]
        samples[7, 7, :colours] = colour
        near = colour ^ np.array([0] * (colours - 1) + [1], colour.dtype)  # the lowest bit of the last channel
        samples[9, 9, :colours] = near
        if alpha is None:  # the specification forbids tRNS beside an alpha channel; readers take no notice of it
            expected = samples / (2**depth - 1)
            expected[(samples == colour).all(axis=2)] = 1
        else:
            expected = unit_over_white(samples)
    path = tmp_path / "a.png"
    path.write_bytes(layouts.png(samples, depth, layouts.PNG_COLOUR[colours, alpha is not None], *chunks))
    check(path, expected)


def unit_over_white(samples: np.ndarray) -> np.ndarray:
    image = samples / np.iinfo(samples.dtype).max
    return image[..., :-1] * image[..., -1:] + 1 - image[..., -1:]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("key", [False, True], ids=["", "tRNS"])
def test_png_palette(tmp_path: Path, key: bool, depth: int) -> None:
    random = np.random.RandomState(depth)
    palette = random.randint(0, 256, (2**depth, 4)).astype(np.uint8)
    samples = random.randint(0, 2**depth, (H, W, 1)).astype(np.uint8)
    chunks = [(b"PLTE", palette[:, :3].tobytes())] + ([(b"tRNS", palette[:, 3].tobytes())] if key else [])
    (tmp_path / "a.png").write_bytes(layouts.png(samples, depth, 3, *chunks))
    colours = palette[samples[..., 0]]
    check(tmp_path / "a.png", unit_over_white(colours) if key else colours[..., :3] / 255)


@pytest.mark.parametrize("colours", [1, 3], ids=["gray", "rgb"])
def test_png_gamma_profile_and_significant_bits_are_ignored(tmp_path: Path, colours: int) -> None:
    for dtype, depth in ((np.uint8, 8), (np.uint16, 16)):
        samples, expected = stored(colours, None, dtype)
        chunks = [
            (b"gAMA", (100000).to_bytes(4, "big")),
            (b"sBIT", bytes([5]) * colours),
            (b"bKGD", bytes(2 * colours)),
        ]
        (tmp_path / "a.png").write_bytes(layouts.png(samples, depth, layouts.PNG_COLOUR[colours, False], *chunks))
        check(tmp_path / "a.png", expected)


@pytest.mark.parametrize("imagej", [False, True])
def test_a_stack_that_one_page_describes_is_refused(tmp_path: Path, imagej: bool) -> None:
    path = tmp_path / "a.tif"
    stack = np.zeros((5, H, W), np.uint16)
    tifffile.imwrite(path, stack, imagej=imagej, metadata={"axes": "ZYX"}, truncate=True)
    with pytest.raises(SuiteError, match="5 pages"):
        read_image(path)


def test_an_old_description_does_not_make_a_stack(tmp_path: Path) -> None:
    samples, expected = stored(1, None, np.uint16)
    for shape in ([2 * H, W], [2, H, W], [H // 2, W, 3]):
        description = f'{{"shape": {shape}}}'
        (tmp_path / "a.tif").write_bytes(layouts.tiff(samples, description=description, metadata=None))
        check(tmp_path / "a.tif", expected)
