"""Blurs, reductions and kernels: adjoints, lifts, and equal to SciPy, to dense matrices and to closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage, signal
from torch import Tensor

from datasets.blur import (
    SEEN,
    BlurDecimation,
    CroppedBlur,
    PeriodicBlur,
    conjugate_gradients,
    filtered,
)
from datasets.errors import SuiteError
from datasets.kernels import checked, gaussian, levin, motion
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.operators import Operator
from datasets.resize import BicubicReduction
from datasets.task import Key, get_task

KEY = Key(0, "photos", "cat")


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape)).to(dtype)


def kernels(a: int, b: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Two kernels (2,1,a,b) without any symmetry, of sum 1."""
    k = random(2, 1, a, b, seed=7).abs().to(dtype)
    return k / k.sum(dim=(-2, -1), keepdim=True)


def operators(dtype: torch.dtype = torch.float64) -> list[tuple[Operator, tuple[int, int]]]:
    """Every operator, with sizes of x that it can take."""
    blurs = [
        (cls(kernels(a, b, dtype)), size)
        for cls in (PeriodicBlur, CroppedBlur)
        for a, b in ((1, 1), (3, 7), (9, 5))
        for size in ((33, 47), (40, 32), (9, 7))
        if a <= size[0] and b <= size[1]
    ]
    small = [
        (made, (scale * h, scale * w))
        for scale in (2, 3, 4)
        for h, w in ((11, 17), (5, 4))
        for made in (BlurDecimation(kernels(5, 3, dtype), scale), BicubicReduction(scale))
    ]
    return [*blurs, *small]


def dense(operator: Operator, height: int, width: int) -> Tensor:
    """A of the first image as a matrix."""
    units = torch.eye(height * width, dtype=torch.float64).view(-1, 1, height, width)
    return torch.stack([operator.forward(unit[None]).flatten() for unit in units], dim=1)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_adjoint(dtype: torch.dtype, near: float) -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩, relative to the norms."""
    for operator, size in operators(dtype):
        x = random(2, 3, *size, dtype=dtype)
        ax = operator.forward(x)
        y = random(*ax.shape, seed=1, dtype=dtype)
        aty = operator.adjoint(y)
        assert ax.dtype == aty.dtype == dtype
        assert operator.image_shape(ax.shape) == tuple(x.shape) == tuple(aty.shape)
        one, other = (ax.double() * y.double()).sum(), (x.double() * aty.double()).sum()
        assert float((one - other).abs() / (ax.norm() * y.norm())) < near, (operator, size)


@pytest.mark.parametrize("cls", [PeriodicBlur, BlurDecimation, BicubicReduction])
def test_lift_meets_the_data(cls: type[Operator]) -> None:
    """A lift(y) = y for y in the range of A, and the lift is the x of least norm: A⁺y."""
    for operator, size in operators():
        if type(operator) is not cls:
            continue
        y = operator.forward(random(2, 3, *size))
        torch.testing.assert_close(operator.forward(operator.lift(y)), y, rtol=0, atol=1e-10)
        # Of least norm: nothing in it is of the null space, so lifting what it makes changes nothing.
        lifted = operator.lift(y)
        torch.testing.assert_close(operator.lift(operator.forward(lifted)), lifted, rtol=0, atol=1e-9)
        if isinstance(operator, PeriodicBlur):
            assert float(operator.transfer(y).abs().min()) > SEEN


def test_lift_is_the_pseudo_inverse() -> None:
    for operator in (
        PeriodicBlur(kernels(3, 5)[:1]),
        BlurDecimation(kernels(3, 5)[:1], 2),
        BicubicReduction(2),
    ):
        a = dense(operator, 12, 10)
        y = operator.forward(random(1, 1, 12, 10))
        torch.testing.assert_close(operator.lift(y).flatten(), torch.linalg.pinv(a) @ y.flatten(), rtol=0, atol=1e-9)


def test_lift_of_what_is_seen_without_its_border() -> None:
    """Conjugate gradients from 0 go to A⁺y; the border of x that y hardly knows stays near 0."""
    operator = CroppedBlur(kernels(3, 5)[:1] + 2 * torch.eye(3, 5, dtype=torch.float64).roll(1, 1))
    y = operator.forward(random(1, 1, 12, 14))
    assert y.shape == (1, 1, 10, 10)
    a = dense(operator, 12, 14)
    torch.testing.assert_close(operator.lift(y).flatten(), torch.linalg.pinv(a) @ y.flatten(), rtol=0, atol=1e-3)
    torch.testing.assert_close(operator.forward(operator.lift(y)), y, rtol=0, atol=1e-3)


def test_frequencies_that_the_data_do_not_know_stay_0() -> None:
    """k = (1, 2, 1)/4 is 0 at the highest frequency of a row: the lift leaves it out, and is finite."""
    kernel = torch.tensor([[[[0.25, 0.5, 0.25]]]], dtype=torch.float64)
    x = random(1, 1, 6, 8) + torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(4)
    stripes = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(4)
    lifted = PeriodicBlur(kernel).lift(PeriodicBlur(kernel).forward(x))
    torch.testing.assert_close(lifted, x - (x * stripes).mean(dim=-1, keepdim=True) * stripes)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 7), (9, 5)])
@pytest.mark.parametrize("size", [(33, 47), (40, 32), (9, 7)])
def test_equal_to_scipy(a: int, b: int, size: tuple[int, int]) -> None:
    x, kernel = random(2, 3, *size), kernels(a, b)
    periodic, cropped = PeriodicBlur(kernel).forward(x), CroppedBlur(kernel).forward(x)
    for n in range(2):
        for c in range(3):
            image, k = x[n, c].numpy(), kernel[n, 0].numpy()
            np.testing.assert_allclose(periodic[n, c], ndimage.convolve(image, k, mode="wrap"), atol=1e-12)
            np.testing.assert_allclose(cropped[n, c], signal.convolve2d(image, k, mode="valid"), atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_decimation_keeps_the_first_pixel(scale: int) -> None:
    x, kernel = random(2, 3, 12, 24), kernels(5, 3)
    expected = PeriodicBlur(kernel).forward(x)[..., ::scale, ::scale]
    torch.testing.assert_close(BlurDecimation(kernel, scale).forward(x), expected)


@pytest.mark.parametrize(("scale", "size"), [(2, (3, 4)), (2, (4, 3)), (3, (3, 2)), (4, (1, 2))])
def test_folded_are_the_eigenvalues(scale: int, size: tuple[int, int]) -> None:
    """The eigenvalues of the dense A Aᵀ; those of `rfft2` stand for themselves and their mirror images."""
    h, w = size
    kernel = kernels(3, 3)[:1] if min(size) * scale >= 3 else kernels(1, 1)[:1]
    operator = BlurDecimation(kernel, scale)
    a = dense(operator, scale * h, scale * w)
    folded = operator.folded(torch.zeros(1, 1, h, w, dtype=torch.float64))
    assert folded.shape == (1, 1, h, w // 2 + 1)
    rows, columns = -torch.arange(h) % h, -torch.arange(w) % w
    whole = torch.zeros(h, w, dtype=torch.float64)
    whole[:, : w // 2 + 1] = folded[0, 0]
    mirrored = whole[rows][:, columns]
    whole[:, w // 2 + 1 :] = mirrored[:, w // 2 + 1 :]
    expected = torch.linalg.eigvalsh(a @ a.T)
    torch.testing.assert_close(whole.flatten().sort().values, expected, rtol=0, atol=1e-12)


def test_conjugate_gradients_against_a_dense_solve() -> None:
    """Every image of the batch for itself, each with its own matrix."""
    root = random(3, 20, 20)
    matrices = root @ root.mT + 5 * torch.eye(20, dtype=torch.float64)
    right, start = random(3, 1, 4, 5, seed=1), random(3, 1, 4, 5, seed=2)

    def normal(z: Tensor) -> Tensor:
        return (matrices @ z.view(3, 20, 1)).view(z.shape)

    expected = torch.linalg.solve(matrices, right.view(3, 20, 1)).view(right.shape)
    before = start.clone()
    for first in (None, start):
        found = conjugate_gradients(normal, right, 200, 1e-12, first)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert torch.equal(start, before)
    assert torch.equal(conjugate_gradients(normal, right, 0, 0.0), torch.zeros_like(right))
    assert torch.equal(conjugate_gradients(normal, 0 * right, 10, 1e-6), torch.zeros_like(right))


def test_conjugate_gradients_end_for_each_image() -> None:
    """An image that is done stays as it is while the others go on: the batch is its images one by one."""
    scales = torch.linspace(1, 50, 20, dtype=torch.float64).view(1, 1, 4, 5)
    right = random(2, 1, 4, 5)
    right[0] = 0
    right[0, 0, 0, 0] = 1  # an eigenvector: done after one step
    steps = [0]

    def normal(z: Tensor) -> Tensor:
        steps[0] += 1
        return scales * z

    both = conjugate_gradients(normal, right, 100, 1e-10)
    assert steps[0] > 2
    for n in (0, 1):
        alone = conjugate_gradients(lambda z: scales * z, right[n : n + 1], 100, 1e-10)
        torch.testing.assert_close(both[n], alone[0], rtol=0, atol=1e-15)
    # Semi-definite: what is 0 in M and in r stays where it began.
    scales = scales * (scales < 40)
    right = right * (scales > 0)
    found = conjugate_gradients(lambda z: scales * z, right, 100, 1e-12)
    torch.testing.assert_close(found, torch.where(scales > 0, right / scales.clamp(min=1), 0), rtol=0, atol=1e-10)


@pytest.mark.parametrize("cls", [PeriodicBlur, CroppedBlur, BlurDecimation])
def test_batches_are_cut_and_joined(cls: type[Operator]) -> None:
    whole = cls(kernels(3, 5))  # type: ignore[call-arg]
    if isinstance(whole, BlurDecimation):
        whole = replace(whole, scale=3)
    parts = [whole.select(0), whole.select(1)]
    again = cls.cat(parts)
    assert torch.equal(again.kernel, whole.kernel)  # type: ignore[attr-defined]
    assert getattr(again, "scale", 1) == getattr(whole, "scale", 1)
    x = random(2, 1, 12, 12)
    torch.testing.assert_close(whole.forward(x)[1:], parts[1].forward(x[1:]))
    assert whole.to("cpu", torch.float32).kernel.dtype == torch.float32  # type: ignore[attr-defined]


def test_filtered_keeps_odd_widths() -> None:
    x = random(1, 2, 5, 7)
    torch.testing.assert_close(filtered(x, torch.ones(5, 4, dtype=torch.float64)), x)


@pytest.mark.parametrize("width", [0.1, 0.5, 1.6, 3.0])
def test_gaussian_kernel(width: float) -> None:
    """Of sum 1 and symmetric; its variance is that of the density once a pixel is small against it."""
    k = gaussian(width)
    assert k.sum() == pytest.approx(1, abs=1e-12)
    for other in (k.T, k[::-1], k[:, ::-1]):
        np.testing.assert_allclose(k, other, atol=1e-16)
    r = np.arange(len(k)) - len(k) // 2
    variance = float(k.sum(axis=0) @ r**2)
    assert variance == pytest.approx(width**2, rel=0.01) if width > 1 else variance < width**2 + 0.01
    assert k[len(k) // 2, len(k) // 2] == k.max()


def test_motion_kernel() -> None:
    """A whole, straight line at 0 and 90 degrees; a mirrored one at 180 − angle; turned by 90 with its grid."""
    np.testing.assert_allclose(motion(7, 0), np.full((7, 7), 1 / 7) * (np.arange(7) == 3)[:, None], atol=1e-15)
    np.testing.assert_allclose(motion(7, 90), motion(7, 0).T, atol=1e-15)
    np.testing.assert_allclose(motion(1, 30), [[1]])
    for length, angle in ((15, 30), (8, 77), (4.5, 10)):
        k = motion(length, angle)
        assert k.shape[0] == k.shape[1]
        assert k.shape[0] % 2 == 1
        assert k.sum() == pytest.approx(1)
        np.testing.assert_allclose(k, k[::-1, ::-1], atol=1e-12)
        np.testing.assert_allclose(motion(length, 180 - angle), k[:, ::-1], atol=1e-12)
        np.testing.assert_allclose(motion(length, angle + 90), np.rot90(k), atol=1e-12)
    rows, columns = np.nonzero(motion(15, 30) > 0.05)
    assert np.polyfit(columns, -rows, 1)[0] == pytest.approx(np.tan(np.radians(30)), abs=0.1), "counter-clockwise"


@pytest.mark.realdata
def test_levin_kernels() -> None:
    """Eight shakes of the sizes of the paper, non-negative and of sum 1, each another; turned as on the camera."""
    made = [levin(number) for number in range(1, 9)]
    assert [k.shape for k in made] == [(n, n) for n in (19, 17, 15, 27, 13, 21, 23, 23)]
    for k in made:
        assert k.sum() == pytest.approx(1)
        assert k.min() >= 0
        observation = get_task("deblur", kernel="levin", number=4, sigma=0).degrade(torch.eye(40)[None], KEY)
        assert observation.y.sum() == pytest.approx(40, rel=1e-4)


@pytest.mark.parametrize(
    ("kernel", "size", "said"),
    [
        (np.ones((3, 4)) / 12, (9, 9), "the blur kernel is 3x4 pixels: sides must be odd"),
        (np.ones((2, 3)) / 6, (9, 9), "the blur kernel is 2x3 pixels: sides must be odd"),
        (np.ones((5, 3)) / 15, (4, 9), "the blur kernel is 5x3 pixels, the image 4x9: take a smaller kernel or larger"),
        (np.ones((3, 5)) / 15, (9, 4), "the blur kernel is 3x5 pixels, the image 9x4: take"),
    ],
)
def test_kernels_that_cannot_blur(kernel: np.ndarray, size: tuple[int, int], said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        checked(kernel, *size)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("deblur[number=0]", "number must be a whole number, 1 to 8, not '0'"),
        ("deblur[number=9]", "number must be a whole number, 1 to 8, not '9'"),
        ("deblur[kernel=gausian]", "Did you mean gaussian"),
        ("deblur[border=valid]", "unknown value of border"),
        ("deblur[width=0]", "width must be a number, 0.1 to 16"),
        ("deblur[angle=181]", "angle must be a number, 0 to 180"),
        ("deblur[length=0.5]", "length must be a number, 1 to 100"),
        ("deblur[sigma=-1]", "sigma must be a number, 0 to 255"),
        ("super-resolve[scale=5]", "scale must be a whole number, 2 to 4"),
    ],
)
def test_settings_that_are_none(task: str, said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        get_task(task)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "size", "said"),
    [
        ("deblur", (14, 14), "image 'cat': the blur kernel is 15x15 pixels, the image 14x14: take a smaller kernel"),
        ("deblur[border=cropped]", (20, 14), "image 'cat': the blur kernel is 15x15 pixels, the image 20x14"),
        ("super-resolve[kernel=gaussian]", (15, 15), "image 'cat': the blur kernel is 15x15 pixels, the image 14x14"),
        ("super-resolve[scale=4]", (3, 40), "image 'cat' is 3x40 pixels: too small to be reduced by 4"),
    ],
)
def test_images_that_are_too_small(task: str, size: tuple[int, int], said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        get_task(task).degrade(torch.zeros(3, *size), KEY)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_operators_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="the kernel is 5x5 pixels, the image 4x9: the kernel must fit"):
        PeriodicBlur(kernels(5, 5)).forward(random(1, 1, 4, 9))
    for operator in (BlurDecimation(kernels(3, 3), 2), BicubicReduction(2)):
        with pytest.raises(ValueError, match="scale 2 does not divide an image of 9x8 pixels: crop it"):
            operator.forward(random(2, 1, 9, 8))


@pytest.mark.parametrize("border", ["periodic", "cropped"])
@pytest.mark.parametrize("channels", [1, 3])
def test_deblur(border: str, channels: int) -> None:
    """y = k ∗ x + σ n on the grid that the border says, σ told, and the noise is white and not clipped."""
    clean = random(channels, 64, 81, seed=4).abs().float().clamp(max=1)
    task = get_task("deblur", border=border, sigma=25.5)
    observation = task.degrade(clean, KEY)
    assert observation.y.shape == (1, channels, *((64, 81) if border == "periodic" else (50, 67)))
    assert observation.fidelity.shape == (1, *clean.shape)
    noise = observation.y - observation.operator.forward(clean[None])
    assert float(noise.std()) == pytest.approx(0.1, rel=0.05)
    assert observation.sigma is not None
    assert observation.sigma.tolist() == pytest.approx([0.1])
    assert task.level_of(observation.truth) == 25.5  # type: ignore[arg-type]
    assert torch.equal(task.degrade(clean, KEY).y, observation.y)
    assert isinstance(observation, Observation)
    assert isinstance(observation.noise, Gaussian)
