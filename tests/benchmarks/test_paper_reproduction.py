"""The reproduction from the released inversions: one pipeline, two metrics of floats, and the numbers it must give."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.color import rgb2lab

from benchmarks.folder.run_folder import RunFolder
from benchmarks.paper import cells, implied, networks, reproduction
from benchmarks.paper.networks import CHROMA, OURS, ROWS, PriorAlone, ReleasedPhi, row_of
from benchmarks.paper.places import COMMITTED, Places
from benchmarks.paper.released import Release
from benchmarks.paper.reproduction import COLUMNS, REPRODUCED, FloatAuC, FloatMSE, evaluate, measures, stored
from benchmarks.paper.runs import every
from benchmarks.reliance.data import Runs
from benchmarks.rows import Row
from bigprior.phi.paper_backbone import PaperBackbone
from datasets.dataset import Entry, get_dataset
from datasets.errors import SuiteError
from datasets.task import Key, get_task

PICTURE = get_dataset("photos").entries("test")[0]
TASK = get_task("colorize")


@dataclass(frozen=True)
class Crop(Entry):
    """64×64 pixels of an embedded photograph."""

    name: str
    top: int

    def load(self) -> torch.Tensor:
        return PICTURE.load()[:, self.top : self.top + 64, 96:160]

    def sha256(self) -> str:
        return self.name

    def where(self) -> str:
        return "embedded"

    def check(self) -> None:
        """Nothing can be wrong."""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """Two small test images, with a g that is a little too dark."""
    entries = [Crop("a", 0), Crop("b", 100)]

    class Few:
        def entries(self, split: str) -> list[Entry]:
            return list(entries)

    for module in (reproduction, implied):
        monkeypatch.setattr(module, "get_dataset", lambda _: Few())
        monkeypatch.setattr(module, "RELEASED_TEST", range(250, 252))
        monkeypatch.setattr(module, "inversion", lambda number: 0.9 * entries[number - 250].load()[None])
    return list[Entry](entries)


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Untrained φ-networks in the place of the released ones, one channel in or three."""

    def load(path: Path) -> PaperBackbone:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return PaperBackbone(1 if "col" in str(path) else 3).eval()

    def checkpoint(experiment: str) -> Path:
        (tmp_path / experiment).write_text("weights")
        return tmp_path / experiment

    monkeypatch.setattr(networks, "_released", load)
    monkeypatch.setattr(networks, "checkpoint", checkpoint)


def test_metrics_of_floats_neither_clip_nor_round() -> None:
    clean = PICTURE.load()[None]
    image = clean + 0.3
    mask = torch.ones_like(clean[:, :1])
    mse, auc = FloatMSE(), FloatAuC()
    assert float(mse.score(mse.prepare(clean, mask), image)) == pytest.approx(0.09, rel=1e-5)
    distance = np.linalg.norm(
        np.subtract(*(rgb2lab(i[0].permute(1, 2, 0).numpy())[..., 1:] for i in (image, clean))), axis=-1
    )
    expected = 100 * np.mean([(distance <= t).mean() for t in range(150)])
    assert float(auc.score(auc.prepare(clean, mask), image)) == pytest.approx(expected, abs=1e-3)
    assert float(auc.score(auc.prepare(clean, mask), clean)) == 100
    assert [measure.name for measure in measures()][-2:] == ["mse_float", "auc_float"]


def test_a_row_is_evaluated_by_the_pipeline(few: list[Entry]) -> None:
    lines = list(evaluate("mgan-prior"))
    assert [line["image"] for line in lines] == [entry.name for entry in few]
    for line, entry in zip(lines, few, strict=True):
        clean = entry.load()
        assert line["mse_float"] == pytest.approx(float((0.1 * clean).square().mean()), rel=1e-5)
        assert line["psnr"] == pytest.approx(-10 * np.log10(float(line["mse_float"])), abs=0.01)
        assert not {"phi_mean", "phi_mean_u8", "phi_outside"} & line.keys()


@pytest.mark.usefixtures("released")
def test_phi_is_told_as_it_is_and_in_bytes(few: list[Entry]) -> None:
    (line,) = islice(evaluate("bigprior-released"), 1)
    y = TASK.degrade(few[0].load(), Key(0, "lsun-bedroom", few[0].name)).y
    with torch.no_grad():
        phi = networks._released(networks.checkpoint("col_bedroom_1"))(y)
    assert line["phi_mean"] == float(phi.mean())
    assert line["phi_mean_u8"] == pytest.approx(float((phi.clamp(0, 1) * 255).round().mean() / 255), abs=1e-6)
    assert line["phi_outside"] == pytest.approx(float(((phi < 0) | (phi > 1)).double().mean()))


def test_the_chroma_row_stands_without_its_phi(few: list[Entry]) -> None:
    (line,) = islice(evaluate(CHROMA), 1)
    assert "phi_outside" not in line
    observation = TASK.degrade(few[0].load(), Key(0, "lsun-bedroom", few[0].name))
    image = Row.parse(CHROMA).method.restore(observation.without_truth()).image
    assert line["mse_float"] == float((image[0] - few[0].load()).square().mean())


def test_a_restoration_that_fails_is_the_reason(few: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "inversion", lambda _: torch.zeros(1, 3, 8, 8))
    with pytest.raises(SuiteError, match=f"mgan-prior on {few[0].name}: .*shape"):
        list(evaluate("mgan-prior"))


def test_what_is_computed_goes_beside_the_inputs(
    few: list[Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduction, "ROWS", ("mgan-prior", CHROMA))
    inputs, out = tmp_path / "inputs", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    known = pd.DataFrame({"row": [CHROMA] * 2, "image": [entry.name for entry in few], "psnr": [0.1 + 0.2, 1 / 3]})
    known.reindex(columns=COLUMNS).to_csv(inputs / REPRODUCED, index=False)
    before = (inputs / REPRODUCED).read_bytes()
    table, reasons = reproduction.reproduce(inputs, out, compute=False)
    assert set(table.row) == {CHROMA}
    assert list(table.psnr) == [0.1 + 0.2, 1 / 3], "to the last bit"
    assert reasons == {"mgan-prior": "not stored"}
    table, reasons = reproduction.reproduce(inputs, out)
    assert not reasons
    assert set(stored(out).row) == {"mgan-prior"}
    assert (inputs / REPRODUCED).read_bytes() == before
    assert (out / "reproduced.json").exists()
    again, _ = reproduction.reproduce(inputs, out, compute=False)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_a_method_serves_one_image_and_needs_no_warm_up() -> None:
    g = torch.rand(1, 3, 8, 8)
    row = row_of("mgan-prior", g)
    assert isinstance(row.method, PriorAlone)
    assert not row.method.warm_up
    observation = TASK.degrade(torch.rand(3, 8, 8), Key(0, "a", "b")).without_truth()
    assert row.method.restore(observation).image is g
    assert set(OURS) < set(ROWS)


# --- the reliance of the released networks ---------------------------------------------------------------------------


@pytest.mark.usefixtures("released")
def test_reliance_is_measured_with_g_held_fixed(few: list[Entry], tmp_path: Path) -> None:
    out = tmp_path / "measured"
    reasons = implied.measure_released(out, "denoise[sigma=5:50]", limit=1)
    assert reasons == {}
    folder = RunFolder(out)
    assert folder.facts.status == "finished"
    assert folder.facts.name == "denoise sigma=5:50, released φ-networks"
    (record,) = folder.finished.to_dict("records")
    assert record["method"] == "bigprior-released"
    assert 5 <= record["sigma"] <= 50
    assert np.isfinite([record["phi_implied"], record["sure"], record["psnr"]]).all()
    arrays = folder.pictures.read_reliance("bigprior-released", few[0].name)
    assert arrays is not None
    assert "frozen" in arrays, "φ and g are known"
    assert Runs.read([out]).notes == []
    before = (out / "records.csv").read_bytes()
    implied.measure_released(out, "denoise[sigma=5:50]", limit=1)
    assert (out / "records.csv").read_bytes() == before, "what is there is not measured again"
    with pytest.raises(SuiteError, match="holds another run"):
        implied.measure_released(out, "inpaint-center", limit=1)


@pytest.mark.usefixtures("released")
def test_the_prior_of_denoising_is_the_row_on_the_same_pixels(few: list[Entry]) -> None:
    task = get_task("denoise[sigma=5:50]")
    observation = task.degrade(few[0].load(), Key(0, "lsun-bedroom", few[0].name)).without_truth()
    expected = Row.parse(implied.PRIOR).method.restore(observation).image
    torch.testing.assert_close(implied._prior(task, 250, few[0]), expected, rtol=0, atol=0)
    method = implied._row(task, implied.ROW, expected).method
    assert isinstance(method, ReleasedPhi)
    assert method.weights() == (method.path,)


# --- what is stored --------------------------------------------------------------------------------------------------


def test_the_stored_reproduction_is_what_was_released(tmp_path: Path) -> None:
    table = stored(COMMITTED)
    sources = cells.Sources(every(Places(tmp_path, tmp_path)), Release.read(COMMITTED), table, {})
    found = cells.anchors(sources)
    assert len(found) == 10
    for anchor in found:
        assert anchor.verdict == "reproduced", anchor
    assert set(table.row) == set(ROWS)
    assert table.groupby("row").image.agg(tuple).nunique() == 1, "the same images in the same order"


@pytest.mark.realdata
def test_the_stored_reproduction_is_of_the_test_images() -> None:
    names = [entry.name for entry in get_dataset("lsun-bedroom").entries("test")]
    for _, mine in stored(COMMITTED).groupby("row"):
        assert list(mine.image) == names


def test_anchors_fail_when_they_should(tmp_path: Path) -> None:
    frame = pd.DataFrame({"row": ["bigprior-released"] * 50 + ["mgan-prior"] * 50, "mse_float": 0.005, "phi_mean": 0.4,
                          "auc_float": 89.0, "auc": 89.0})  # fmt: skip
    sources = cells.Sources(every(Places(tmp_path, tmp_path)), Release({}), frame, {})
    assert {anchor.verdict for anchor in cells.anchors(sources)} == {"fails"}


def test_our_phi_beats_the_released_one() -> None:
    means = stored(COMMITTED).groupby("row")[["psnr", "auc", "phi_outside"]].mean()
    for metric in ("psnr", "auc"):
        assert means.loc["phi-chroma", metric] > means.loc["bigprior-released", metric]
    # On neutral gray ours is ahead in PSNR alone; its AuC is 0.1 behind, which is within the interval of 0.
    assert means.loc["phi-gray", "psnr"] > means.loc["bigprior-released", "psnr"]
    assert all(means.loc[row, "phi_outside"] == 0 for row in OURS)
    assert means.loc["bigprior-released", "phi_outside"] > 0


@pytest.mark.realdata
@pytest.mark.parametrize("row", ROWS)
def test_the_reproduction_can_be_made_again(row: str) -> None:
    """On another processor the last digits of networks and of LPIPS differ."""
    known = stored(COMMITTED)
    known = known[known.row == row].reset_index(drop=True).head(2)
    made = pd.DataFrame(evaluate(row, limit=2)).reindex(columns=COLUMNS)
    pd.testing.assert_frame_equal(made, known, rtol=1e-5, check_dtype=False)
