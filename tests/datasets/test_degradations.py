"""JPEG, counts, impulses, strokes and reductions: their laws by draws, their formulas, and pinned pixels."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from torch import Tensor

from datasets.compression import Jpeg
from datasets.counts import PoissonGaussian, SaltAndPepper
from datasets.errors import SuiteError
from datasets.kernels import gaussian
from datasets.resize import resize
from datasets.task import Key, Task, get_task
from datasets.tasks.inpaint_freeform import paint
from tests.datasets.test_tasks import picture

KEY = Key(0, "photos", "cat")
SEED = np.random.RandomState


def smooth(channels: int, height: int, width: int) -> Tensor:
    """A picture of slow waves, (1,C,H,W), away from black and white: nothing is clipped by its compression."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (5 + c) + c) * np.cos(columns / (7 + c)) for c in range(channels)]
    levels = np.rint(128 + 60 * np.stack(waves) + SEED(0).normal(0, 3, (channels, height, width)))
    return torch.from_numpy(levels.astype(np.float32) / 255)[None]


# -- JPEG ------------------------------------------------------------------------------------------------------------

LUMA = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
CHROMA = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
"""ITU-T T.81, tables K.1 and, of which all others are 99, K.2."""


@pytest.mark.parametrize("quality", [1, 10, 20, 30, 40, 49, 50, 51, 75, 99, 100])
def test_the_tables_are_the_standards(quality: int) -> None:
    whole = np.full((8, 8), 99)
    whole[:4, :4] = CHROMA
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    for found, base in zip(Jpeg(quality).tables(), (np.array(LUMA), whole), strict=True):
        np.testing.assert_array_equal(found, np.clip((base * percent + 50) // 100, 1, 255))


@pytest.mark.parametrize("size", [(8, 8), (33, 47), (1, 5)])
@pytest.mark.parametrize("quality", [1, 10, 75, 100])
def test_what_pillow_leaves(size: tuple[int, int], quality: int) -> None:
    for channels in (1, 3):
        x = picture(channels, *size)[None]
        y = Jpeg(quality).forward(x)
        levels = (x[0] * 255).round().byte().numpy()
        file = io.BytesIO()
        whole = Image.fromarray(levels[0] if channels == 1 else levels.transpose(1, 2, 0).copy())
        whole.save(file, format="JPEG", quality=quality, subsampling=2)
        decoded = np.array(Image.open(file))
        np.testing.assert_array_equal((y[0] * 255).round().byte().numpy(), np.atleast_3d(decoded).transpose(2, 0, 1))
        assert y.dtype == x.dtype
        assert Jpeg(quality).forward(x.double()).dtype == torch.float64
        assert torch.equal(y, get_task("jpeg", quality=quality).degrade(x[0], KEY).y)


@pytest.mark.parametrize("quality", [10, 30, 75])
def test_coefficients_are_multiples_of_the_steps_and_in_the_cells_of_the_original(quality: int) -> None:
    """Of the gray image, but for the rounding of y to 8 bit: rows of a table are vertical frequencies."""
    x, step = smooth(1, 32, 40), Jpeg(quality).tables()[0]
    y = Jpeg(quality).forward(x)

    def blocks(image: Tensor) -> NDArray[np.float64]:
        levels = (image[0, 0].double() * 255).numpy() - 128
        return dctn(levels.reshape(4, 8, 5, 8), axes=(1, 3), norm="ortho").transpose(0, 2, 1, 3)

    of_x, of_y = blocks(x), blocks(y)
    number = np.rint(of_y / step)
    # ½ a level of rounding in each of 64 pixels is at most 4 in a coefficient, and less than 2 but by rare chance.
    assert np.abs(of_y - number * step).max() < 2
    assert np.abs(of_x - of_y).max() < step.max() / 2 + 2
    assert (np.abs(of_x - of_y) < step / 2 + 2).all()


def test_images_are_clipped_and_a_batch_is_one_by_one() -> None:
    x = torch.cat([smooth(3, 16, 24), smooth(3, 16, 24).flip(-1)])
    together = Jpeg(20).forward(x)
    for i in (0, 1):
        assert torch.equal(together[i : i + 1], Jpeg(20).forward(x[i : i + 1]))
    loud = (3 * x - 1).double()
    assert torch.equal(Jpeg(20).forward(loud), Jpeg(20).forward(loud.clamp(0, 1)))
    with pytest.raises(NotImplementedError, match="no adjoint"):
        Jpeg().adjoint(x)


@pytest.mark.parametrize("quality", ["0", "101", "-5", "50.5", "best"])
def test_a_bad_quality_is_one_line(quality: str) -> None:
    with pytest.raises(SuiteError, match=r"^task jpeg\[quality=.*\]: quality must be a whole number") as error:
        get_task(f"jpeg[quality={quality}]")
    assert "\n" not in str(error.value)


# -- counts ----------------------------------------------------------------------------------------------------------


def within(values: NDArray[np.float64], expected: float) -> None:
    """The mean of independent values is within 4.5 standard errors of what is expected, and they do vary."""
    error = values.std() / np.sqrt(values.size)
    assert error > 0
    assert abs(values.mean() - expected) < 4.5 * error


@pytest.mark.parametrize(("peak", "sigma"), [(1.0, 0.0), (4.0, 0.1), (30.0, 0.0), (30.0, 0.2), (1000.0, 0.01)])
def test_moments_of_counts(peak: float, sigma: float) -> None:
    """Mean z, variance a z + σ², third moment a² z: Gaussian noise of the same variance has third moment 0."""
    noise = PoissonGaussian(torch.tensor([1 / peak], dtype=torch.float64), torch.tensor([sigma], dtype=torch.float64))
    for z in (0.05, 0.4, 1.0):
        clean = torch.full((1, 3, 200, 200), z, dtype=torch.float64)
        y = noise.sample(clean, SEED(1)).numpy()
        within(y, z)
        within((y - z) ** 2, z / peak + sigma**2)
        within((y - z) ** 3, z / peak**2)
        assert float(noise.variance(clean).mean()) == pytest.approx(z / peak + sigma**2)
        assert abs(float(((y[..., 1:] - z) * (y[..., :-1] - z)).mean())) < 4.5 * y.var() / np.sqrt(y.size)


def test_counts_are_whole_and_darkness_has_none() -> None:
    clean = torch.linspace(-0.5, 1, 4096, dtype=torch.float64).view(1, 1, 64, 64)
    noise = PoissonGaussian(torch.tensor([1 / 20], dtype=torch.float64), torch.zeros(1).double())
    counts = noise.sample(clean, SEED(0)) * 20
    torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-9)
    assert (counts[clean <= 0] == 0).all()
    assert (noise.variance(clean)[clean <= 0] == 0).all()
    assert noise.sigma(clean) is None


def test_images_of_a_batch_have_laws_of_their_own() -> None:
    clean = torch.full((2, 1, 100, 100), 0.5)
    one, two = (PoissonGaussian(torch.tensor([a]), torch.tensor([s])) for a, s in ((0.5, 0.0), (0.01, 0.3)))
    noise = PoissonGaussian.cat([one, two])
    assert noise.select(1) == two
    y = noise.sample(clean, SEED(3)).double().numpy()
    for image, (a, s) in zip(y, ((0.5, 0.0), (0.01, 0.3)), strict=True):
        within((image - 0.5) ** 2, a / 2 + s**2)
    assert noise.to("cpu", torch.float64).gain.dtype == torch.float64


# -- impulses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_law_of_impulses(share: float) -> None:
    clean = torch.full((1, 3, 200, 200), 0.3, dtype=torch.float64)
    noise = SaltAndPepper(torch.tensor([share]).double())
    y = noise.sample(clean, SEED(2)).numpy()
    assert set(np.unique(y)) <= {0.0, 0.3, 1.0}
    for value, expected in ((0.0, share / 2), (1.0, share / 2), (0.3, 1 - share)):
        found = (y == value).mean()
        assert abs(found - expected) <= 4.5 * np.sqrt(expected * (1 - expected) / y.size)
    mean = (1 - share) * 0.3 + share / 2
    assert float(noise.variance(clean)[0, 0, 0, 0]) == pytest.approx((1 - share) * 0.09 + share / 2 - mean**2)
    if 0 < share < 1:
        within(y, mean)
        within((y - mean) ** 2, float(noise.variance(clean)[0, 0, 0, 0]))


def test_channels_are_hit_apart() -> None:
    y = SaltAndPepper(torch.tensor([0.5])).sample(torch.full((1, 3, 200, 200), 0.3), SEED(4))
    lost = (y != 0.3).double().numpy()[0]
    within(lost.prod(axis=0), 0.125)


# -- strokes ---------------------------------------------------------------------------------------------------------


def hole(height: int, width: int, image: str = "cat") -> NDArray[np.bool_]:
    o = get_task("inpaint-freeform").degrade(torch.ones(1, height, width), replace(KEY, image=image))
    assert torch.equal(o.y, o.mask)
    return o.mask[0, 0].numpy() == 0


def test_share_of_strokes() -> None:
    shares = np.array([hole(256, 256, str(i)).mean() for i in range(120)])
    assert shares.min() > 0.005
    assert shares.max() < 0.5
    assert abs(shares.mean() - SHARE) < 4.5 * shares.std() / np.sqrt(120)


SHARE = 0.102
"""Mean share of the hole of a square image, over 1,500 other masks."""


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (47, 33), (16, 200)])
def test_strokes_on_other_sizes(size: tuple[int, int]) -> None:
    shares = [hole(*size, str(i)).mean() for i in range(60)]
    assert min(shares) > 0
    assert max(shares) < 0.6


def test_strokes_scale_with_the_image() -> None:
    """A key has the same strokes on every square image: only pixels at their edges differ."""
    for image in ("a", "b", "c"):
        small, large = hole(128, 128, image), hole(512, 512, image)
        share = large.reshape(128, 4, 128, 4).mean(axis=(1, 3))
        assert (small[(share == 1)]).all()
        assert not small[share == 0].any()


def test_a_piece_of_a_stroke_is_what_is_near_its_middle_line() -> None:
    start, end, radius = np.array([5.2, -3.0]), np.array([20.0, 31.5]), 3.3
    painted = np.zeros((24, 30), dtype=bool)
    paint(painted, start, end, radius)
    line = start + np.linspace(0, 1, 20001)[:, None] * (end - start)
    for row, column in np.ndindex(painted.shape):
        near = np.hypot(*(line - (row + 0.5, column + 0.5)).T).min()
        assert painted[row, column] == (near <= radius)
    outside = np.zeros((24, 30), dtype=bool)
    paint(outside, np.array([-9.0, -9.0]), np.array([-5.0, -5.0]), 3.0)
    assert not outside.any()


# -- reductions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(32, 48), (33, 47), (35, 46)])
def test_super_resolution_crops_and_reduces(scale: int, size: tuple[int, int]) -> None:
    clean = picture(3, *size)
    h, w = (side // scale * scale for side in size)
    whole = clean[None, :, :h, :w]
    o = get_task("super-resolve", scale=scale).degrade(clean, KEY)
    assert o.truth is not None
    assert torch.equal(o.truth.clean, whole)
    assert torch.equal(o.y, resize(whole, h // scale, w // scale))
    assert o.mask.shape == (1, 1, h, w)
    g = get_task(f"super-resolve[kernel=gaussian,scale={scale},width=0.8]").degrade(clean, KEY)
    kernel = gaussian(0.8)
    r = len(kernel) // 2
    padded = np.pad(whole[0].double().numpy(), ((0, 0), (r, r), (r, r)), mode="wrap")
    blurred = sum(
        kernel[i, j] * padded[:, i : i + h, j : j + w] for i in range(len(kernel)) for j in range(len(kernel))
    )
    np.testing.assert_allclose(g.y[0], blurred[:, ::scale, ::scale], rtol=0, atol=1e-6)


def test_noise_of_a_reduction() -> None:
    clean = torch.full((3, 400, 400), 0.5)
    y = get_task("super-resolve[sigma=10]").degrade(clean, KEY).y.double().numpy()
    within((y - 0.5) ** 2, (10 / 255) ** 2)
    assert torch.equal(get_task("super-resolve").degrade(clean, KEY).y[0], resize(clean, 200, 200))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("super-resolve[scale=5]", "scale must be"),
        ("super-resolve[scale=1]", "scale must be"),
        ("super-resolve[kernel=box]", "kernel"),
        ("denoise-poisson[peak=0]", "peak must be"),
        ("denoise-poisson[sigma=-1]", "sigma must be"),
        ("denoise-impulse[share=1.5]", "share must be"),
    ],
)
def test_bad_parameters_are_one_line(spec: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message) as error:
        get_task(spec)
    assert "\n" not in str(error.value)


def test_images_that_are_too_small() -> None:
    with pytest.raises(SuiteError, match="'cat' is 3x40 pixels: too small to be reduced by 4"):
        get_task("super-resolve[scale=4]").degrade(picture(3, 3, 40), KEY)
    with pytest.raises(SuiteError, match="'cat': the blur kernel is 15x15 pixels, the image 10x40"):
        get_task("super-resolve[kernel=gaussian]").degrade(picture(3, 10, 40), KEY)


# -- keys ------------------------------------------------------------------------------------------------------------

PINNED = {
    "jpeg": "d90f33eaebe0e515854d40b7b37bfc74f070b2a1965e5815fc6778b3b2c021b5",
    "denoise-poisson": "1872dd3f8239b64347ed62d287fe17ff17f2a5d9505c0ee816e85ebe8a0c541b",
    "denoise-poisson[peak=4,sigma=5]": "07f277a11ca68ffd209c0b249529b144509f7834b596e584fa3df4b5d81588b3",
    "denoise-impulse": "0e29c46fe5a925d4b13104c287d495b16450c2a5e490a701fb91c3bc44d2572e",
    "inpaint-freeform": "e497b054c64432d516ee7969ed3ec11bfd83955824b02396e6e9e3b5c2051a11",
}
"""SHA-256 of y, float32 little-endian, of `picture()` under KEY: if one changes, no old record can be compared."""
each = pytest.mark.parametrize("spec", PINNED)


def digest(task: Task) -> str:
    return hashlib.sha256(task.degrade(picture(), KEY).y.numpy().astype("<f4").tobytes()).hexdigest()


@each
def test_pinned_pixels(spec: str) -> None:
    assert digest(get_task(spec)) == PINNED[spec]


def test_pinned_noise_of_a_reduction() -> None:
    """Not a hash: a product of matrices is rounded differently from processor to processor."""
    y = get_task("super-resolve[sigma=25,scale=4]").degrade(picture(), KEY).y
    assert y.shape == (1, 3, 10, 14)
    np.testing.assert_allclose(y[0, :, 3, 5], FIRST, rtol=0, atol=1e-5)


FIRST = [0.5189098, 0.3786634, 0.4679161]
"""y of the three channels in row 3 and column 5."""


@pytest.mark.parametrize("spec", [spec for spec in (*PINNED, "super-resolve[sigma=5]") if spec != "jpeg"])
@pytest.mark.parametrize("other", [Key(1, "photos", "cat"), Key(0, "set12", "cat"), Key(0, "photos", "dog")])
def test_another_key_gives_other_pixels(spec: str, other: Key) -> None:
    task = get_task(spec)
    first = task.degrade(picture(), KEY).y
    np.random.seed(1)
    assert torch.equal(first, get_task(spec).degrade(picture(), replace(KEY)).y)
    assert not torch.equal(first, task.degrade(picture(), other).y)
