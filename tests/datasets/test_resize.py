"""MATLAB's imresize: against another implementation, against Pillow, its symmetries, and the operator made of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from datasets.resize import BicubicReduction, cubic, lanczos, resize, weights

Floats = NDArray[np.float64]
CASES = [
    (size, to)
    for scale in (2, 3, 4)
    for number in (1, 2, 5, 7, 11)
    for size, to in ((scale * number, number), (number, scale * number))
]
each_scale = pytest.mark.parametrize("scale", [2, 3, 4])


def keys(t: float) -> float:
    """Keys' cubic from its definition for any a, here −1/2."""
    a, t = -0.5, abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def sinc3(t: float) -> float:
    if t == 0:
        return 1.0
    x = math.pi * t
    return 3 * math.sin(x) * math.sin(x / 3) / x**2 if abs(t) < 3 else 0.0


def reference(image: Floats, height: int, width: int, kernel: Callable[[float], float], reach: int) -> Floats:
    """`imresize`, pixel by pixel: the image is laid out in full, mirrored beyond its borders, and every pixel weighed.

    The place of output pixel i (from 1) is i/scale + (1 − 1/scale)/2, as MATLAB writes it.
    """
    for axis, to in ((0, height), (1, width)):
        lines = np.moveaxis(image, axis, -1)
        size = lines.shape[-1]
        scale = to / size
        stretch = max(1.0, 1 / scale)
        margin = math.ceil(reach * stretch) + 2
        many = np.pad(lines, [(0, 0)] * (lines.ndim - 1) + [(margin, margin)], mode="symmetric")
        out = np.zeros((*lines.shape[:-1], to))
        for i in range(1, to + 1):
            u = i / scale + 0.5 * (1 - 1 / scale)
            h = np.array([kernel((u - j) / stretch) for j in range(1 - margin, size + margin + 1)])
            out[..., i - 1] = many @ h / h.sum()
        image = np.moveaxis(out, -1, axis)
    return image


def noise(height: int, width: int, channels: int = 1) -> Tensor:
    return torch.from_numpy(np.random.RandomState(height * width).rand(2, channels, height, width))


@pytest.mark.parametrize(("size", "to"), CASES)
def test_every_pixel_of_another_implementation(size: int, to: int) -> None:
    """Scales 2, 3, 4 up and down in both directions at once, odd sides included; and within one level in 8 bit."""
    other = (7, 21) if to > size else (21, 7)
    x = np.random.RandomState(size).randint(0, 256, (size, other[0])) / 255
    ours = resize(torch.from_numpy(x), to, other[1]).numpy()
    theirs = reference(x, to, other[1], keys, 2)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    single = resize(torch.from_numpy(x).float(), to, other[1]).double().numpy()
    np.testing.assert_allclose(single, theirs, rtol=0, atol=1e-6)
    bytes_ = [np.rint(np.clip(image, 0, 1) * 255) for image in (single, theirs)]
    assert np.abs(bytes_[0] - bytes_[1]).max() <= 1


@pytest.mark.parametrize(("size", "to"), [(10, 5), (5, 15), (7, 28), (28, 7)])
def test_the_lanczos_kernel(size: int, to: int) -> None:
    line = np.random.RandomState(to).rand(size, 1)
    theirs = reference(line, to, 1, sinc3, 3)
    np.testing.assert_allclose(weights(size, to, lanczos, 6) @ line, theirs, rtol=0, atol=1e-9)


@each_scale
@pytest.mark.parametrize("filter_", ["BICUBIC", "LANCZOS"])
def test_pillow_away_from_the_borders(scale: int, filter_: str) -> None:
    """Pillow cuts the kernel off at the borders where MATLAB reflects; inside they agree, in single precision."""
    kernel = {"BICUBIC": (cubic, 4), "LANCZOS": (lanczos, 6)}[filter_]
    x = np.random.RandomState(scale).rand(12 * scale, 15 * scale)
    for height, width, margin in ((12, 15, 4), (12 * scale**2, 15 * scale**2, 4 * scale)):
        theirs = np.array(Image.fromarray(x.astype(np.float32)).resize((width, height), Image.Resampling[filter_]))
        ours = weights(len(x), height, *kernel) @ x @ weights(x.shape[1], width, *kernel).T
        inside = np.s_[margin:-margin, margin:-margin]
        np.testing.assert_allclose(ours[inside], theirs[inside], rtol=0, atol=2e-6)


@pytest.mark.parametrize(("size", "to"), CASES)
@pytest.mark.parametrize("kernel", [(cubic, 4), (lanczos, 6)], ids=["bicubic", "lanczos"])
def test_constants_and_reflection(size: int, to: int, kernel: tuple[Callable[[Floats], Floats], float]) -> None:
    matrix = weights(size, to, *kernel)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, rtol=0, atol=1e-12)
    # A line followed by its mirror image becomes its result followed by the mirror image of it.
    x = np.random.RandomState(0).rand(size)
    small = matrix @ x
    both = weights(2 * size, 2 * to, *kernel) @ np.concatenate([x, x[::-1]])
    np.testing.assert_allclose(both, np.concatenate([small, small[::-1]]), rtol=0, atol=1e-12)


def test_a_straight_line_stays_one_inside() -> None:
    """Places are right: what is reduced and what is enlarged by s lies in the middle of s pixels."""
    for size, to in ((30, 10), (10, 30), (20, 5)):
        ramp = weights(size, to) @ np.arange(size)
        expected = (np.arange(to) + 0.5) * size / to - 0.5
        inside = slice(4 * to // min(size, to), -4 * to // min(size, to))
        np.testing.assert_allclose(ramp[inside], expected[inside], rtol=0, atol=1e-9)


@each_scale
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (12, 9), (33, 2)])
def test_adjoint(scale: int, size: tuple[int, int]) -> None:
    operator = BicubicReduction(scale)
    x, y = noise(scale * size[0], scale * size[1], 3), noise(*size, 3)
    left = (operator.forward(x) * y).sum()
    right = (x * operator.adjoint(y)).sum()
    torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)
    single = (x.float() * operator.adjoint(y.float())).sum()
    assert float((single - left).abs() / left.abs()) < 1e-5


@each_scale
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (12, 9), (33, 2)])
def test_the_lift_is_a_right_inverse_of_least_norm(scale: int, size: tuple[int, int]) -> None:
    operator = BicubicReduction(scale)
    y = noise(*size, 3)
    lifted = operator.lift(y)
    assert lifted.shape == operator.image_shape(y.shape)
    torch.testing.assert_close(operator.forward(lifted), y, rtol=0, atol=1e-10)
    torch.testing.assert_close(operator.forward(operator.lift(y.float())), y.float(), rtol=0, atol=1e-5)
    # Of least norm: it is orthogonal to every image that A takes to 0.
    x = noise(*lifted.shape[-2:], 3)
    blind = x - operator.lift(operator.forward(x))
    torch.testing.assert_close((lifted * blind).sum(), torch.zeros((), dtype=y.dtype), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("scale", "size"), [(2, (4, 5)), (3, (9, 8)), (4, (6, 8))])
def test_a_scale_that_does_not_divide(scale: int, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"scale {scale} does not divide an image of {size[0]}x{size[1]} pixels"):
        BicubicReduction(scale).forward(noise(*size))
