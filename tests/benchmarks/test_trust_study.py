"""The command: what it measures, keeps and writes, on tiny images with a row that draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from benchmarks.rows import Row
from benchmarks.trust import measuring
from benchmarks.trust import study as studies
from benchmarks.trust.__main__ import main
from benchmarks.trust.invention import invention
from benchmarks.trust.maps import Maps, measured, region_of
from benchmarks.trust.measuring import TEST, VALIDATION, Part, central
from benchmarks.trust.photograph import PHI, draw_invented
from benchmarks.trust.predictors import PREDICTORS, Answer
from benchmarks.trust.summary import WIDTH
from bigprior.draws import Sampled
from bigprior.fusion import Restoration
from datasets.cli import guarded
from datasets.dataset import Dataset, Entry
from datasets.noise import NoNoise
from datasets.observation import Observation, Truth
from datasets.operators import Luma, Masking
from datasets.task import DENOISING, INPAINTING, Key, Problem, get_task
from methods.base import Method
from tests.methods.denoising import observe, photograph

SIDE = 40


@dataclass(frozen=True)
class Tile(Entry):
    """A crop of a photograph."""

    name: str
    top: int

    def load(self) -> Tensor:
        return photograph(SIDE, SIDE, top=self.top)[0].float()

    def sha256(self) -> str:
        return "0" * 64

    def where(self) -> str:
        return "embedded"

    def check(self) -> None:
        pass


@dataclass(frozen=True)
class Tiles(Dataset):
    """Some to calibrate on, some to test."""

    name: ClassVar[str] = "tiles"
    colour: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    disjoint_from: ClassVar[tuple[str, ...]] = ("tiles:train",)

    def entries(self, split: str = "test") -> list[Entry]:
        self.check_split(split)
        first = {"train": 0, "test": 200}[split]
        return [Tile(f"{split}{number}", first + 7 * number) for number in range(25)]


@dataclass(frozen=True)
class Drawing(Method):
    """Draws about a gray fill, wider to the right."""

    name: ClassVar[str] = "drawing"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING)
    decoupled: ClassVar[bool] = False
    summary: ClassVar[str] = ""
    citation: ClassVar[str] = ""

    def restore(self, observation: Observation) -> Restoration:
        f = observation.fidelity
        noise = torch.randn(4, *f.shape, generator=torch.Generator().manual_seed(0)).to(f)
        ramp = torch.linspace(0.05, 0.5, f.shape[-1]).to(f)
        hole = 1 - observation.mask
        draws = f * observation.mask + hole * (0.5 + ramp * noise)
        return Sampled(draws.mean(dim=0), draws=draws)


@dataclass(frozen=True)
class Mute(Drawing):
    """The gray fill alone, and not a word about it."""

    name: ClassVar[str] = "mute"

    def restore(self, observation: Observation) -> Restoration:
        return Restoration(observation.fidelity * observation.mask + 0.5 * (1 - observation.mask))


OURS: dict[str, Method] = {"drawing": Drawing(), "mute": Mute()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to write; the tiles and the row that draws have their names."""
    real_set, real_row = measuring.get_dataset, Row.parse

    def get_dataset(spec: str) -> Dataset:
        return Tiles() if spec == "tiles" else real_set(spec)

    def parse(text: object) -> Row:
        name = str(text)
        return Row(name, name, OURS[name]) if name in OURS else real_row(text)  # type: ignore[arg-type]

    for module in (measuring, studies):
        monkeypatch.setattr(module, "get_dataset", get_dataset)
    monkeypatch.setattr(Row, "parse", staticmethod(parse))
    monkeypatch.setattr("benchmarks.trust.command.draw_invented", lambda *_: None)
    return tmp_path


def go(here: Path, *words: str) -> int:
    argv = ["--dataset", "tiles", "--limit", "3", "--validation", "12", "--jobs", "1"]
    return main([*argv, "--maps", str(here / "maps"), "--out", str(here / "out"), *words])


def fails(capsys: pytest.CaptureFixture[str], here: Path, *words: str) -> str:
    assert guarded(lambda: go(here, *words)) == 2
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_a_study_of_holes(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--task", "inpaint-center", "--methods", "drawing,mute", "--epsilon", "30")
    assert go(here, *words) == 0
    said = capsys.readouterr().out
    out = here / "out"
    table = pd.read_csv(out / "predictors.csv")
    assert set(zip(table.row, table.predictor, strict=True)) == {("drawing", "variance")}
    assert table.images.tolist() == [3]
    masks = pd.read_csv(out / "masks.csv")
    assert masks.n.tolist() == [12]
    assert masks.best.tolist() == [True]
    variance = pd.read_csv(out / "variance.csv")
    assert variance.draws.tolist() == [4]
    invented = pd.read_csv(out / "invented.csv").set_index("row")
    assert (invented.measured_rms == 0).all(), "both keep what was observed"
    np.testing.assert_allclose(invented.null_rms, invented.error_rms, rtol=0.2)  # all of the error is in the hole
    assert invented["index"]["mute"] > invented["index"]["drawing"], "one image without a spread is far from the truth"
    assert "mute: left out: nothing that it tells differs from pixel to pixel" in said
    assert max(map(len, (out / "summary.txt").read_text().splitlines())) <= WIDTH
    assert (out / "trust.png").stat().st_size > 10_000

    # What is there is not measured again, and gives the same.
    before = (out / "predictors.csv").read_bytes()
    monkeypatch.setattr(measuring, "measure", lambda job: pytest.fail("measured again"))
    assert go(here, *words) == 0
    assert (out / "predictors.csv").read_bytes() == before


def test_a_study_of_noise_with_a_shift(here: Path) -> None:
    words = ("--task", "denoise", "--methods", "local-wiener", "--epsilon", "8", "--shift", "denoise[sigma=50]")
    assert go(here, *words, "--crop", "24") == 0
    table = pd.read_csv(here / "out" / "predictors.csv").set_index("predictor")
    assert set(table.index) == {"phi", "implied", "data", "difference", "sure"}
    assert table.ause["implied"] == pytest.approx(table.ause_reversed["data"], abs=1e-6)
    assert table.spearman["data"] == pytest.approx(-table.spearman["implied"], abs=1e-3)
    masks = pd.read_csv(here / "out" / "masks.csv")
    mine = masks[masks.predictor == "data"].set_index("tested").coverage
    assert mine["tiles, sigma=50"] < mine["tiles"]
    invented = pd.read_csv(here / "out" / "invented.csv")
    assert (invented.null_share == 0).all(), "A = I loses nothing"
    assert (invented.null_rms == 0).all()
    assert invented["index"].between(0, 1).all()


def test_a_slow_row_is_measured_on_few_images_and_not_calibrated(here: Path) -> None:
    words = ("--task", "inpaint-center", "--methods", "harmonic", "--few", "drawing", "--few-images", "2")
    assert go(here, *words, "--few-validation", "0") == 0
    table = pd.read_csv(here / "out" / "predictors.csv")
    assert table.set_index("row").images.to_dict() == {"harmonic": 3, "drawing": 2}
    assert set(pd.read_csv(here / "out" / "masks.csv").row) == {"harmonic"}
    assert not list((here / "maps").glob("*/*/tiles-train/drawing*"))


def test_other_code_is_measured_again_unless_it_is_kept(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row, task, part = Row.parse("local-wiener"), get_task("denoise"), Part("tiles", TEST, 2)
    maps = here / "maps"
    for job in measuring.missing(maps, "denoise", [part], [row]):
        measuring.measure(job)
    assert not measuring.missing(maps, "denoise", [part], [row])
    facts = Row.facts
    monkeypatch.setattr(Row, "facts", lambda *given: replace(facts(*given), fingerprint="f" * 16))
    assert len(measuring.missing(maps, "denoise", [part], [row])) == 2
    assert not measuring.missing(maps, "denoise", [part], [row], keep=True)
    assert len(measuring.maps_of(maps, task, part, row, keep=True)) == 2


def test_calibration_is_on_the_last_images_of_the_training_split(here: Path) -> None:
    assert [entry.name for entry in Part("tiles", VALIDATION, 3).entries()] == ["train5", "train6", "train7"]
    assert len(Part("tiles", VALIDATION, 99).entries()) == 20
    assert [entry.name for entry in Part("tiles", TEST, 2).entries()] == ["test0", "test1"]
    assert Part("cbsd68", VALIDATION, 20).source()[1] == "train"


@pytest.mark.parametrize("alpha", ["0", "1", "1.5", "-0.1", "nan"])
def test_a_level_out_of_range(here: Path, capsys: pytest.CaptureFixture[str], alpha: str) -> None:
    said = fails(capsys, here, "--task", "denoise", "--methods", "local-wiener", "--alpha", alpha)
    assert said.endswith("is out of range: give a share between 0 and 1, such as 0.1.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--task", "inpaint-center", "--methods", "mute"), "no row here has a predictor of its error (mute: "),
        (("--task", "denoise", "--methods", "tv", "--dataset", "set5"), "dataset 'set5' has no training split"),
        (("--task", "denoise", "--methods", "tv", "--shift", "colorize"), "--shift colorize is another problem"),
        (("--task", "denoise", "--methods", "harmonic"), "method 'harmonic' cannot run on denoise"),
        (("--task", "denoise", "--methods", "tv", "--epsilon", "0"), "--epsilon 0 is out of range"),
        (("--task", "denoise", "--methods", "tv", "--share", "1"), "--share 1 is out of range"),
        (("--task", "denoise", "--methods", "tv", "--limit", "0"), "--limit 0 is out of range"),
    ],
)
def test_mistakes_are_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert message in fails(capsys, here, *words)


# --- the parts -------------------------------------------------------------------------------------------------------


def test_predictors_of_a_fusion() -> None:
    given = observe(photograph(16, 20), 25)
    g = torch.full_like(given.y, 0.5)
    restoration = Restoration.fused(given.y, g, torch.full_like(given.mask, 0.25))
    reliance = torch.full_like(given.mask, 0.25)
    answer = Answer(given, restoration, reliance, given.sigma)
    found = {name: predictor(answer) for name, predictor in PREDICTORS.items()}
    assert found["variance"] is None
    assert torch.equal(found["data"], 1 - reliance)
    expected = 255 * (given.y - g).square().mean(dim=1, keepdim=True).sqrt()
    torch.testing.assert_close(found["difference"], expected)
    # The local term of SURE has its mean: ‖y − x̂‖²/N + σ²(1 − 2φ), where windows are whole.
    residual = (0.25 * (given.y - g)).square().mean(dim=1, keepdim=True)
    there = 255**2 * (residual[..., 1:8, 5:12].mean() + (25 / 255) ** 2 * 0.5)
    assert float(found["sure"][0, 0, 4, 8]) == pytest.approx(float(there))


def test_the_variance_over_draws() -> None:
    given = observe(photograph(16, 20), 25)
    draws = torch.stack([given.y + 0.1, given.y - 0.1])
    answer = Answer(given, Sampled(given.y, draws=draws))
    torch.testing.assert_close(PREDICTORS["variance"](answer), torch.full_like(given.mask, 255**2 * 0.02))


def test_the_region_is_what_the_data_do_not_give() -> None:
    mask = torch.ones(1, 1, 8, 8)
    mask[..., 2:5, 2:5] = 0
    holes = Observation(torch.rand(1, 3, 8, 8) * mask, Masking(mask), NoNoise())
    assert torch.equal(region_of(holes, torch.zeros(1)), 1 - mask)
    assert region_of(holes, torch.ones(1)).all()
    assert region_of(observe(photograph(8, 8), 25), torch.ones(1)).all()


def test_hallucination_maps() -> None:
    """Where the luma is kept, all of the error is in the null space; in denoising none of it is."""
    clean = photograph(8, 12)
    luma = Luma()
    given = Observation(luma.forward(clean), luma, NoNoise(), Truth(clean, NoNoise()))
    gray = given.fidelity
    found = invention(given, gray, clean)
    assert float(found.measured_map.max()) < 1e-12
    torch.testing.assert_close(found.null_map, (gray - clean).square().mean(dim=1, keepdim=True).sqrt())
    brighter = invention(given, clean + 0.1, clean)
    seen = 0.1 * 1 / np.sqrt(3 * (0.299**2 + 0.587**2 + 0.114**2))
    torch.testing.assert_close(brighter.measured_map, torch.full_like(brighter.measured_map, seen))
    noisy = observe(clean, 25)
    denoised = invention(noisy, clean, clean)
    assert float(denoised.null_map.max()) == 0
    torch.testing.assert_close(denoised.measured_map, (clean - noisy.y).square().mean(dim=1, keepdim=True).sqrt())


def test_maps_are_kept_and_read_again(tmp_path: Path) -> None:
    observation = get_task("inpaint-center").degrade(photograph(SIDE, SIDE)[0], Key(0, "x", "x"))
    assert observation.truth is not None
    maps = measured(Drawing().restore, observation.without_truth(), observation.truth)
    assert maps.numbers["draws"] == 4
    maps.save(tmp_path / "a" / "b.npz")
    again = Maps.load(tmp_path / "a" / "b.npz")
    assert again is not None
    np.testing.assert_allclose(again.error, maps.error, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(again.region, maps.region)
    np.testing.assert_allclose(again.predictors["variance"], maps.predictors["variance"], rtol=1e-3)
    assert again.numbers == pytest.approx(maps.numbers, nan_ok=True)
    predictor, error = again.blocks("variance")
    pixels, errors = again.places("variance")
    assert len(pixels) == maps.region.sum()
    assert predictor.min() >= pixels.min()
    assert error.max() <= errors.max()
    (tmp_path / "a" / "b.npz").write_bytes(b"broken")
    assert Maps.load(tmp_path / "a" / "b.npz") is None


def test_blocks_are_means_over_the_region() -> None:
    error, region = np.zeros((4, 8)), np.zeros((4, 8), bool)
    error[:, 2:6], region[:, 2:4] = 3.0, True
    maps = Maps(error, region, {"phi": np.arange(32.0).reshape(4, 8)}, np.zeros((0, 4, 8)), {})
    predictor, squared = maps.blocks("phi")
    assert predictor.tolist() == [14.5], "the second block has no pixel in the region"
    assert squared.tolist() == [9]


def test_the_central_square() -> None:
    image = torch.arange(5 * 8.0).view(1, 5, 8)
    assert torch.equal(central(image, 2), image[:, 1:3, 3:5])
    assert central(image, None) is image
    assert central(image, 6).shape == (1, 5, 6)


def test_the_photograph_is_drawn_where_there_is_a_null_space() -> None:
    rows = [Row.parse("harmonic"), Row.parse("telea")]
    figure = draw_invented(get_task("inpaint-center"), rows)
    assert figure is not None
    titles = [axis.get_title() or axis.get_title("left") for axis in figure.axes[:6]]  # wherever a theme has them
    assert titles == ["restoration", PHI, "null part", "measured-space map", "null-space map", "error"], "no row draws"
    assert draw_invented(get_task("jpeg"), rows) is None
