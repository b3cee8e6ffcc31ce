"""Every degradation: its formula, its statistics, and that a key always means the same pixels."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from datasets.catalog import TASKS
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import Key, Task, get_task

KEY = Key(0, "photos", "cat")
ALL = [
    get_task("denoise", sigma="25"),
    get_task("denoise", sigma="5:50"),
    get_task("inpaint-center"),
    get_task("inpaint-random"),
    get_task("colorize"),
]
RANDOM = [task for task in ALL if task.name in ("denoise", "inpaint-random")]
SIZES = [(16, 16), (33, 47), (47, 33), (256, 256)]


def picture(channels: int = 3, height: int = 40, width: int = 56) -> Tensor:
    levels = np.random.RandomState(3).randint(0, 256, (channels, height, width))
    return torch.from_numpy(levels.astype(np.float32) / np.float32(255))


def label(task: Task) -> str:
    return task.label


def truth(o: Observation) -> Tensor:
    assert o.truth is not None
    return o.truth.clean


def test_names() -> None:
    assert set(TASKS.names()) == {
        "colorize",
        "deblur",
        "denoise",
        "denoise-impulse",
        "denoise-poisson",
        "inpaint-center",
        "inpaint-freeform",
        "inpaint-random",
        "jpeg",
        "real-noise",
        "super-resolve",
    }


@pytest.mark.parametrize("task", ALL, ids=label)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_observation(task: Task, size: tuple[int, int], dtype: torch.dtype, channels: int) -> None:
    """One image in its own dtype; the truth is the clean image; y = A x where there is no noise."""
    if task.needs_colour and channels == 1:
        with pytest.raises(SuiteError, match="'cat' is grayscale"):
            task.degrade(picture(1, *size), KEY)
        return
    clean = picture(channels, *size).to(dtype)
    before = clean.clone()
    o = task.degrade(clean, KEY)
    assert torch.equal(clean, before)
    assert torch.equal(truth(o), clean[None])
    assert o.y.dtype == o.mask.dtype == dtype
    assert o.fidelity.shape == (1, channels, *size)
    assert o.truth is not None
    assert (o.sigma is None) == task.blind
    if o.sigma is not None:
        assert torch.equal(o.sigma, o.truth.sigma)
    if task.name.startswith("inpaint"):
        assert torch.equal(o.y, o.operator.forward(clean[None]))
        assert torch.equal(o.y, clean * o.mask)
        assert set(o.mask.unique().tolist()) == {0.0, 1.0}
    else:
        assert (o.mask == 1).all()
    if task.name != "denoise":
        assert (o.truth.sigma == 0).all()


@pytest.mark.parametrize("task", ALL, ids=label)
def test_the_same_key_gives_the_same_pixels(task: Task) -> None:
    first = task.degrade(picture(), KEY)
    np.random.seed(1)  # nobody's global state matters, nor what was degraded before
    task.degrade(picture(), replace(KEY, image="other"))
    again = get_task(task.name, **task.parameters).degrade(picture(), Key(0, "photos", "cat"))
    assert torch.equal(first.y, again.y)
    assert torch.equal(first.mask, again.mask)


@pytest.mark.parametrize("task", RANDOM, ids=label)
@pytest.mark.parametrize("other", [Key(1, "photos", "cat"), Key(0, "set12", "cat"), Key(0, "photos", "dog")])
def test_another_key_gives_other_pixels(task: Task, other: Key) -> None:
    assert not torch.equal(task.degrade(picture(), KEY).y, task.degrade(picture(), other).y)


def noise(sigma: str, key: Key = KEY, clean: Tensor | None = None) -> np.ndarray:
    """The noise in units of its standard deviation, (C,H,W)."""
    o = get_task("denoise", sigma=sigma).degrade(torch.full((3, 256, 256), 0.5) if clean is None else clean, key)
    assert o.truth is not None
    return ((o.y - o.truth.clean)[0].double() / o.truth.sigma.double()).numpy()


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation in units of its standard deviation under independence."""
    return float((a * b).mean() * np.sqrt(a.size))


def test_noise_is_independent_over_keys_and_sigma() -> None:
    """Nor is the noise at σ 50 that at σ 25, doubled: the parameters are in the key."""
    reference = noise("25")
    assert correlation(reference, reference) > 100
    others = [
        noise("25", replace(KEY, seed=1)),
        noise("25", replace(KEY, image="dog")),
        noise("25", replace(KEY, dataset="x")),
        noise("50"),
        noise("25:25"),
    ]
    for i, other in enumerate(others):
        assert abs(correlation(reference, other)) < 4.5
        for another in others[:i]:
            assert abs(correlation(other, another)) < 4.5


@pytest.mark.parametrize("sigma", ["15", "25", "50", "5:50"])
def test_noise_is_white_standard_normal(sigma: str) -> None:
    """Mean, variance, skewness, kurtosis and neighbouring correlations within 4.5 standard errors."""
    n = noise(sigma)
    count = n.size
    assert abs(n.mean()) < 4.5 / np.sqrt(count)
    assert abs((n**2).mean() - 1) < 4.5 * np.sqrt(2 / count)
    assert abs((n**3).mean()) < 4.5 * np.sqrt(15 / count)
    assert abs((n**4).mean() - 3) < 4.5 * np.sqrt(96 / count)
    for shift in ((0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (0, 1, -1), (0, 0, 2)):
        assert abs(correlation(n, np.roll(n, shift, axis=(0, 1, 2)))) < 4.5


def test_noise_does_not_depend_on_the_image_and_is_not_clipped() -> None:
    task = get_task("denoise", sigma="25")
    dark, bright = task.degrade(torch.zeros(3, 64, 64), KEY), task.degrade(torch.ones(3, 64, 64), KEY)
    torch.testing.assert_close(dark.y, bright.y - 1, rtol=0, atol=1e-6)
    assert (dark.y < 0).float().mean() == pytest.approx(0.5, abs=0.03)
    assert bright.y.max() > 1.2
    assert dark.y.std() == pytest.approx(25 / 255, rel=0.03)


def test_zero_sigma_is_the_clean_image() -> None:
    o = get_task("denoise", sigma="0").degrade(picture(), KEY)
    assert torch.equal(o.y[0], picture())


@pytest.mark.parametrize(("low", "high"), [(5, 50), (7, 9), (25, 25), (0, 20)])
def test_blind_sigma_is_a_uniform_integer_with_both_ends(low: int, high: int) -> None:
    task = get_task("denoise", sigma=f"{low}:{high}")
    values = high - low + 1
    draws = 40 * values
    levels = []
    for i in range(draws):
        o = task.degrade(torch.zeros(1, 1, 1), Key(0, "d", str(i)))
        assert o.sigma is None
        assert o.truth is not None
        levels.append(o.truth.sigma.item() * 255)
    rounded = np.rint(levels).astype(int)
    np.testing.assert_allclose(levels, rounded, rtol=0, atol=1e-4)
    counts = np.bincount(rounded - low, minlength=values)
    assert len(counts) == values
    assert counts.min() > 0
    spread = np.sqrt(2 * max(values - 1, 1))  # of χ² with values − 1 degrees of freedom
    assert abs(((counts - 40) ** 2 / 40).sum() - (values - 1)) < 5 * spread


@pytest.mark.parametrize("sigma", ["-1", "256", "50:5", "5.5:10", "5:10.5", "a", "1:2:3", "", "nan", "inf", ":", "5:"])
def test_sigma_out_of_range(sigma: str) -> None:
    with pytest.raises(SuiteError, match=r"sigma '.*' is out of range: give"):
        get_task("denoise", sigma=sigma)


def test_equal_sigmas_are_one_task_and_different_ones_two() -> None:
    assert get_task("denoise", sigma="25.0") == get_task("denoise", sigma=25) == get_task("denoise")
    assert get_task("denoise", sigma="2.5e1").label == "denoise sigma=25"
    assert get_task("denoise", sigma="12.5").label == "denoise sigma=12.5"
    assert get_task("denoise", sigma="5:50.0").label == "denoise sigma=5:50"
    assert get_task("denoise", sigma="25.0000001").label != get_task("denoise", sigma="25").label


def test_unknown_tasks_and_parameters() -> None:
    with pytest.raises(
        SuiteError, match=r"unknown task 'denoize'\. Did you mean denoise.*\? Valid: colorize, deblur, denoise"
    ):
        get_task("denoize")
    for name, parameters in (("denoise", {"sgima": 1}), ("colorize", {"sigma": 25}), ("denoise", {"_range": (0, 1)})):
        with pytest.raises(SuiteError, match=f"unknown parameter of task '{name}'"):
            get_task(name, **parameters)


def test_centre_hole_of_256() -> None:
    o = get_task("inpaint-center").degrade(torch.ones(3, 256, 256), KEY)
    hole = np.zeros((256, 256), bool)
    hole[96:160, 96:160] = True
    np.testing.assert_array_equal(o.mask[0, 0].numpy() == 0, hole)
    np.testing.assert_array_equal(o.y[0].numpy(), np.broadcast_to(~hole, (3, 256, 256)).astype(np.float32))


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (47, 33)])
def test_centre_hole_is_a_centred_quarter(size: tuple[int, int]) -> None:
    o = get_task("inpaint-center").degrade(torch.ones(1, *size), KEY)
    rows, cols = np.nonzero(o.mask[0, 0].numpy() == 0)
    for found, length in ((rows, size[0]), (cols, size[1])):
        assert abs(found.max() - found.min() + 1 - length / 4) < 1
        assert abs((found.max() + found.min() + 1) / 2 - length / 2) <= 1
    assert len(rows) == len(set(rows)) * len(set(cols))


def holes(count: int, height: int = 256, width: int = 256) -> list[np.ndarray]:
    task = get_task("inpaint-random")
    clean = torch.ones(1, height, width)
    return [task.degrade(clean, Key(0, "d", str(i))).mask[0, 0].numpy() == 0 for i in range(count)]


def test_random_holes_are_two_to_four_rectangles_over_8() -> None:
    counts = set()
    for hole in holes(80):
        # A union of rectangles with sides of 9 and more is its own opening by a 9×9 square.
        np.testing.assert_array_equal(ndimage.binary_opening(hole, np.ones((9, 9))), hole)
        _, parts = ndimage.label(hole)
        assert 1 <= parts <= 4
        counts.add(parts)
    assert counts == {1, 2, 3, 4}  # rectangles may overlap, so there may seem to be fewer


def test_random_holes_have_the_distribution_of_the_papers_code() -> None:
    """Hole share and map, against holes drawn here from the rule by another generator, one coordinate at a time."""
    generator = random.Random(5)

    def reference() -> np.ndarray:
        hole = np.zeros((256, 256), bool)
        for _ in range(generator.randint(2, 4)):
            while True:
                top, left = generator.randint(0, 256), generator.randint(0, 256)
                rows, cols = (abs(round(generator.gauss(64, 32))) for _ in range(2))
                if rows > 8 and cols > 8 and top + rows < 256 and left + cols < 256:
                    break
            hole[top : top + rows, left : left + cols] = True
        return hole

    ours = np.array(holes(600))
    expected = np.array([reference() for _ in range(600)])
    a, b = ours.mean(axis=(1, 2)), expected.mean(axis=(1, 2))
    assert abs(a.mean() - b.mean()) < 4.5 * np.sqrt((a.var() + b.var()) / 600)
    assert 0.8 < a.std() / b.std() < 1.25
    for region in (
        np.s_[:, :32, :],
        np.s_[:, :, :32],
        np.s_[:, 224:, :],
        np.s_[:, :, 224:],
        np.s_[:, 112:144, 112:144],
    ):
        p, q = ours[region].mean(axis=(1, 2)), expected[region].mean(axis=(1, 2))
        assert abs(p.mean() - q.mean()) < 4.5 * np.sqrt((p.var() + q.var()) / 600)


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (47, 33), (16, 200), (512, 512)])
def test_random_holes_scale_with_the_image(size: tuple[int, int]) -> None:
    shares = [hole.mean() for hole in holes(60, *size)]
    assert min(shares) > 0
    assert max(shares) < 1
    if size[0] == size[1] and size[0] > 16:
        reference = np.mean([hole.mean() for hole in holes(60)])
        assert np.mean(shares) == pytest.approx(reference, abs=4.5 * np.std(shares) * np.sqrt(2 / 60))


def test_the_mean_share_of_random_holes_is_that_of_the_papers_code() -> None:
    """Of 3,000 masks each, the paper's code has 0.160; a side that is drawn before its place would give 0.177."""
    assert np.mean([hole.mean() for hole in holes(1200)]) == pytest.approx(0.160, abs=0.008)


def test_random_holes_reach_the_first_row_and_column_and_leave_the_last_as_the_papers_code_does() -> None:
    union = np.any(holes(600, 64, 96), axis=0)
    assert union[0].any()
    assert union[-2].any()
    assert union[:, 0].any()
    assert union[:, -2].any()
    assert not union[-1].any()
    assert not union[:, -1].any()


def test_colorize_is_the_formula_in_float32_bit_for_bit() -> None:
    levels = np.random.RandomState(0).randint(0, 256, (3, 512, 512))
    levels[:, :256, 0] = np.arange(256)  # neutral grays, where rounding decides
    r, g, b = levels.astype(np.float32) / np.float32(255)
    gray = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
    assert gray.dtype == np.float32
    bytes_ = (gray * np.float32(255)).astype(np.uint8)
    clean = torch.from_numpy(np.stack([r, g, b]))
    o = get_task("colorize").degrade(clean, KEY)
    np.testing.assert_array_equal(o.y[0, 0].numpy(), bytes_.astype(np.float32) / np.float32(255))
    assert torch.equal(o.fidelity, o.y.expand(1, 3, 512, 512))
    double = get_task("colorize").degrade(clean.double(), KEY)  # the bytes are those of float32 in every dtype
    np.testing.assert_array_equal(np.rint(double.y[0, 0].numpy() * 255).astype(np.uint8), bytes_)


PINNED = {
    "denoise sigma=25": "b2bc3deda64455afc04db8225d592b084a3ca89343047146cb9467bba2fec9c5",
    "denoise sigma=5:50": "d91215b7f6775484aae8a15b3f7225e7957ee9d6cffa0f051a4d7713b8ca2280",
    "inpaint-center": "b88deefc71345542e4d5832c28c126bf0e4c877ae510db8276cc4ebba20d9c50",
    "inpaint-random": "2d7711d593caf4995bc4c941b5cf615691427e59e57d6ffe1fa0eeb53800b51d",
    "colorize": "6fe461005be2349fef7b0f6967c7a1568c714e5de4e4605ab407539c49d0fde9",
}
"""SHA-256 of y, float32 little-endian, of `picture()` under KEY: if one changes, no old record can be compared."""


def digest(task: Task) -> str:
    y = task.degrade(picture(), KEY).y.numpy().astype("<f4")
    return hashlib.sha256(y.tobytes()).hexdigest()


@pytest.mark.parametrize("task", ALL, ids=label)
def test_pinned_pixels(task: Task) -> None:
    assert digest(task) == PINNED[task.label]


def test_another_process_gives_the_same_pixels() -> None:
    """Python's own hash of strings changes with every process; the key must not."""
    program = "from tests.datasets.test_tasks import ALL, digest\nprint(*(digest(task) for task in ALL))"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [digest(task) for task in ALL]
