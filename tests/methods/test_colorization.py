"""Colorization: luma is data, chroma is prior; and the fit of the chroma tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize
from skimage import data
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.noise import NoNoise
from datasets.observation import Observation
from datasets.operators import LUMA, Luma
from datasets.task import Key
from datasets.tasks.colorize import Colorize
from methods.classic._chroma_tables import (
    AB,
    AB_MAX,
    LEVELS,
    ROWS,
    SETS,
    TOGETHER,
    auc,
    chroma_of,
    fit,
    geometric_median,
    histogram,
)
from methods.classic._colorization import TABLES, Colorization, load_table, look_up
from methods.classic.chroma_given_luma import ChromaGivenLuma
from methods.classic.chroma_given_luma_row import ChromaGivenLumaRow
from methods.classic.constant_chroma import ConstantChroma
from methods.classic.gray import Gray
from methods.registry import get_method

CHURCH = ChromaGivenLumaRow("lsun-church")
EACH = [Gray(), ConstantChroma(), ChromaGivenLuma(), ChromaGivenLumaRow(), CHURCH]
each_method = pytest.mark.parametrize("method", EACH, ids=lambda method: method.name)


def observe(luma: Tensor) -> Observation:
    return Observation(luma, Luma(), NoNoise())


def levels(n: int, h: int, w: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(n, 1, h, w, generator=torch.Generator().manual_seed(0), dtype=dtype)


@each_method
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_luma_is_data_and_chroma_is_prior(method: Colorization, dtype: torch.dtype, tolerance: float) -> None:
    y = levels(2, 33, 47, dtype)
    restoration = method.restore(observe(y))
    torch.testing.assert_close(Luma().forward(restoration.image), y, rtol=0, atol=tolerance)
    assert restoration.image.dtype == dtype
    assert restoration.fidelity is not None
    assert restoration.phi is not None
    assert torch.equal(restoration.fidelity[:, :1], y)
    assert torch.equal(restoration.fidelity[:, 1:], torch.zeros(2, 2, 33, 47, dtype=dtype))
    assert torch.equal(restoration.phi, torch.tensor([0.0, 1, 1], dtype=dtype).view(1, 3, 1, 1).expand(2, 3, 33, 47))
    one_by_one = torch.cat([method.restore(observe(y[i : i + 1])).image for i in range(2)])
    torch.testing.assert_close(restoration.image, one_by_one, rtol=0, atol=tolerance)


@each_method
def test_refuses_colour(method: Colorization) -> None:
    with pytest.raises(ValueError, match="one channel"):
        method.restore(Observation(torch.zeros(1, 3, 16, 16), Luma(), None))


def test_gray_is_gray() -> None:
    y = levels(1, 16, 21)
    torch.testing.assert_close(Gray().restore(observe(y)).image, y.expand(-1, 3, -1, -1), rtol=0, atol=1e-15)


def test_what_the_chroma_depends_on() -> None:
    y = levels(1, 32, 20)
    constant = ConstantChroma().chroma(y)
    assert (constant.amax(dim=(2, 3)) == constant.amin(dim=(2, 3))).all()
    assert constant.abs().max() > 0.01

    by_luma, by_row = ChromaGivenLuma().chroma(y), CHURCH.chroma(y)
    torch.testing.assert_close(ChromaGivenLuma().chroma(y.flip(2)), by_luma.flip(2), rtol=0, atol=1e-14)
    assert by_luma.std() > 1e-3
    torch.testing.assert_close(CHURCH.chroma(y.flip(3)), by_row.flip(3), rtol=0, atol=1e-14)
    assert (CHURCH.chroma(y.flip(2)) - by_row.flip(2)).abs().max() > 0.01

    # Rows are relative: the mean of two rows of an image twice as high is the row of the image.
    flat = torch.full((1, 1, 32, 20), 0.4, dtype=torch.float64)
    tall = CHURCH.chroma(flat.repeat(1, 1, 2, 1)).view(1, 2, 32, 2, 20).mean(dim=3)
    torch.testing.assert_close(tall[:, :, 4:-4], CHURCH.chroma(flat)[:, :, 4:-4], rtol=0, atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 1), (6, 1), (32, 16), (5, 3)])
def test_look_up_is_bilinear(shape: tuple[int, int]) -> None:
    table, y = np.random.RandomState(0).randn(2, *shape), levels(2, 33, 47)
    level = (y.numpy()[:, 0] * 255 + 0.5) / 256 * shape[0] - 0.5
    row = np.broadcast_to(((np.arange(33) + 0.5) / 33 * shape[1] - 0.5)[None, :, None], level.shape)
    expected = np.stack([map_coordinates(t, [level, row], order=1, mode="nearest") for t in table], axis=1)
    np.testing.assert_allclose(look_up(torch.from_numpy(table), y).numpy(), expected, atol=1e-12)


def test_unknown_table() -> None:
    with pytest.raises(ValueError, match="lsun-church"):
        ConstantChroma(trained_on="lsun-churches")  # type: ignore[arg-type]
    with pytest.raises(SuiteError, match="Did you mean lsun-church"):
        get_method("constant-chroma[trained_on=lsun-churches]")


def test_shipped_tables() -> None:
    names = [file.stem for file in TABLES.glob("*.json")]
    assert set(names) == {TOGETHER, *SETS}
    for name in names:
        for statistic, shape in (("constant", (1, 1)), ("luma", (LEVELS, 1)), ("luma_row", (LEVELS, ROWS))):
            table = load_table(name, statistic)
            assert tuple(table.shape) == (2, *shape)
            levels_of = (torch.arange(shape[0], dtype=table.dtype) + 0.5) / shape[0]
            blue, red = table + levels_of[:, None]
            assert min(blue.min(), red.min()) > -0.02, "colours lie in the RGB cube"
            assert max(blue.max(), red.max()) < 1.02
    assert not torch.equal(load_table("lsun-bedroom", "luma"), load_table("lsun-church", "luma"))
    assert get_method("chroma-given-luma-bedroom") == ChromaGivenLuma("lsun-bedroom")


def test_geometric_median_against_a_minimiser() -> None:
    counts = np.zeros((2, len(AB)))
    random = np.random.RandomState(1)
    counts[0, random.randint(0, len(AB), 40)] = random.rand(40)
    counts[1, random.randint(0, len(AB), 3)] = 1

    def cost(c: np.ndarray, weights: np.ndarray) -> float:
        return float(weights @ np.sqrt(((AB - c) ** 2).sum(axis=1) + 0.25))

    for median, weights in zip(geometric_median(counts, AB, 1000), counts, strict=True):
        best = minimize(cost, np.zeros(2), args=(weights,), method="Nelder-Mead", options={"xatol": 1e-6})
        np.testing.assert_allclose(median, best.x, atol=1e-3)
        mean = weights @ AB / weights.sum()
        assert cost(median, weights) < cost(mean, weights)


def test_chroma_of_has_the_luma_and_the_ab_asked_for() -> None:
    ab, luma = np.array([[20.0, -15], [0, 0], [-10, 30]]), np.array([0.5, 0.2, 0.6])
    blue, red = chroma_of(ab, luma).T
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    rgb = np.stack([red, green, blue], axis=-1) + luma[:, None]
    np.testing.assert_allclose(rgb @ np.array(LUMA), luma, atol=1e-12)
    np.testing.assert_allclose(rgb2lab(rgb)[:, 1:], ab, atol=0.05)


def test_histogram_counts_every_pixel_in_its_cell() -> None:
    image = torch.from_numpy(data.astronaut()[:64, :50].astype(np.float32) / 255).permute(2, 0, 1)
    counts = histogram([image, image])
    assert counts.sum() == 2 * 64 * 50
    ab = rgb2lab(image.permute(1, 2, 0).double().numpy())[..., 1:]
    luma = Colorize().degrade(image, Key(0, "", "")).y[0, 0].numpy() * 255
    i, j = 37, 11
    cell = round(float(luma[i, j])) * LEVELS // 256, i * ROWS // 64
    colour = np.abs(AB - np.clip(np.rint(ab[i, j]), -AB_MAX, AB_MAX)).sum(axis=1).argmin()
    assert counts[(*cell, colour)] >= 2
    np.testing.assert_allclose(counts.sum(axis=(0, 2)), 2 * 64 * 50 / ROWS)


def test_fit_learns_colours_of_luma_and_row() -> None:
    # The upper half is blue, the lower half brown, each at every luma between 0.3 and 0.6.
    lightness = np.linspace(35, 60, 64)
    blue, brown = (
        lab2rgb(np.stack([lightness, *(np.full(64, v) for v in ab)], axis=-1)) for ab in ((3, -20), (10, 25))
    )
    rgb = np.concatenate([np.tile(blue, (32, 1, 1)), np.tile(brown, (32, 1, 1))])
    image = torch.from_numpy(rgb).permute(2, 0, 1)
    tables = fit(histogram([image]))
    assert {name: table.shape for name, table in tables.items()} == {
        "constant": (2, 1, 1),
        "luma": (2, LEVELS, 1),
        "luma_row": (2, LEVELS, ROWS),
    }
    scores = {name: auc(table, [image]) for name, table in tables.items()}
    assert scores["luma_row"] > 97
    assert scores["luma_row"] > scores["luma"] + 5
    assert auc(np.zeros((2, 1, 1)), [image]) < scores["luma"]


def test_auc_is_its_definition() -> None:
    image = torch.from_numpy(data.astronaut()[:40, :50].astype(np.float32) / 255).permute(2, 0, 1)
    byte = (Colorize().degrade(image, Key(0, "", "")).y[0, 0].numpy() * 255).round().astype(np.uint8)
    ab = [rgb2lab(x)[..., 1:] for x in (np.repeat(byte[..., None], 3, axis=-1), data.astronaut()[:40, :50])]
    distance = np.linalg.norm(ab[0] - ab[1], axis=-1)
    definition = 100 * np.mean([(distance <= t).mean() for t in range(150)])
    assert auc(np.zeros((2, 1, 1)), [image]) == pytest.approx(definition, abs=0.02)


@pytest.mark.realdata
def test_bedroom_test_images() -> None:
    images = [entry.load() for entry in get_dataset("lsun-bedroom").entries("test")]
    assert len(images) == 50
    assert auc(load_table("lsun-bedroom", "luma").numpy(), images) >= 90.0


@pytest.mark.realdata
@pytest.mark.slow
def test_shipped_table_is_the_fit() -> None:
    entries = get_dataset("lsun-bedroom").entries("train")
    tables = fit(histogram(entry.load() for entry in entries))
    for name, table in tables.items():
        np.testing.assert_allclose(table, load_table("lsun-bedroom", name).numpy(), atol=2e-4)
