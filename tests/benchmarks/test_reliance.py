"""Reliance: what --reliance adds to a run, and the analyses of what it leaves."""

from __future__ import annotations

import json
import shutil
from functools import partialmethod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from benchmarks.folder.facts import Counts, Facts, RowFacts
from benchmarks.folder.records import RELIANCE, TIMINGS, Record
from benchmarks.folder.run_folder import RunFolder
from benchmarks.reliance.__main__ import main
from benchmarks.reliance.agreement import declared_implied
from benchmarks.reliance.analyses import ANALYSES, analyse
from benchmarks.reliance.calibration import bins
from benchmarks.reliance.correlation import phi_against_level
from benchmarks.reliance.coverage import ause, risk
from benchmarks.reliance.data import Maps, Missing, Runs
from benchmarks.reliance.oracle import best_phi, error, of_image
from benchmarks.reliance.stein import stein
from benchmarks.rows import Row
from benchmarks.scores.protocol import get_protocol
from benchmarks.scores.reliance import BLOCK, measure
from benchmarks.setting import Setting
from bigprior.fusion import Restoration
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.task import get_task
from methods.registry import get_method
from tests.benchmarks.conftest import Runner
from tests.methods.denoising import observe, photograph

QUICK = "noisy,local-wiener,nlm"


def table(out: Path) -> pd.DataFrame:
    return RunFolder(out).records


def fails(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert guarded(lambda: main(list(argv))) == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


# --- the run ---------------------------------------------------------------------------------------------------------


def test_a_run_with_reliance_has_its_columns_and_maps(run_here: Runner, tmp_path: Path) -> None:
    assert run_here("--methods", QUICK, "--reliance") == 0
    found, store = table(tmp_path / "run"), RunFolder(tmp_path / "run").pictures
    means = found.groupby("method")[["phi_implied", "phi_implied_se", "sure", "phi_mean"]].mean()
    assert means.phi_implied["noisy"] == pytest.approx(0, abs=1e-4)
    assert means.sure["noisy"] == pytest.approx((25 / 255) ** 2, rel=1e-3)
    assert 0.5 < means.phi_implied["nlm"] < 1
    assert (found.phi_implied_se[found.method != "noisy"] > 0).all()
    assert means.phi_mean["local-wiener"] - means.phi_implied["local-wiener"] > 0.02, "φ follows y there"
    arrays = store.read_reliance("nlm", "crop1")
    assert arrays is not None
    assert arrays["implied"].shape == (48 // BLOCK, 40 // BLOCK)
    assert arrays["parts"].shape == (3, 48 // BLOCK, 40 // BLOCK)
    assert arrays["implied"].dtype == np.float16
    assert arrays["error"].mean() / 255**2 == pytest.approx(float(arrays["mse"]), rel=1e-3)
    record = found[(found.method == "nlm") & (found.image == "crop1")].iloc[0]
    assert float(arrays["frozen_mean"]) == pytest.approx(record.phi_mean, abs=1e-3)
    sizes = [path.stat().st_size for path in (tmp_path / "run" / "reliance").glob("*/*.npz")]
    assert len(sizes) == 9
    assert max(sizes) < 10_000


def test_reliance_changes_no_other_number(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", QUICK, out=tmp_path / "without")
    run_here("--methods", QUICK, "--reliance", "--jobs", "1", out=tmp_path / "with")
    with_, without = (table(tmp_path / name).drop(columns=[*TIMINGS, *RELIANCE]) for name in ("with", "without"))
    pd.testing.assert_frame_equal(with_, without, check_exact=True)
    assert table(tmp_path / "without")[list(RELIANCE)].isna().all(axis=None)


def test_a_finished_run_is_given_its_reliance_and_keeps_scores_and_times(
    run_here: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    run_here("--methods", QUICK)
    before = table(out)
    run_here("--methods", QUICK, "--reliance")
    after = table(out)
    pd.testing.assert_frame_equal(after.drop(columns=list(RELIANCE)), before.drop(columns=list(RELIANCE)))
    assert after[list(RELIANCE)].notna().all(axis=None)
    run_here("--methods", QUICK, "--reliance", out=tmp_path / "at once")
    pd.testing.assert_frame_equal(after[list(RELIANCE)], table(tmp_path / "at once")[list(RELIANCE)], check_exact=True)
    capsys.readouterr()
    run_here("--methods", QUICK, "--reliance")
    assert "9 of 9 results are already" in capsys.readouterr().out


def test_what_a_kill_has_left_out_is_measured_again(run_here: Runner, tmp_path: Path) -> None:
    """Killed between the maps and the record, or before the maps: the same command ends with the same numbers."""
    out = tmp_path / "run"
    run_here("--methods", QUICK, "--reliance")
    whole = table(out)
    maps = {path: path.read_bytes() for path in (out / "reliance").glob("*/*.npz")}
    path = out / "records.csv"
    path.write_bytes(path.read_bytes()[:-40])
    lost = sorted(maps)[0]
    lost.unlink()
    run_here("--methods", QUICK, "--reliance")
    timed = list(TIMINGS)
    pd.testing.assert_frame_equal(table(out).drop(columns=timed), whole.drop(columns=timed), check_exact=True)
    assert {path: path.read_bytes() for path in maps} == maps


def test_a_batch_is_measured_as_one_by_one() -> None:
    """Whatever the batch, odd sizes, and a gray image: the same maps."""
    method = get_method("local-wiener")
    batch = observe(torch.cat([photograph(33, 47), photograph(33, 47, top=5, left=120)]).float(), 25)
    assert batch.truth is not None
    together = measure(method.restore, batch, method.restore(batch), batch.truth)
    for index, found in enumerate(together):
        one = batch.select(index)
        assert one.truth is not None
        alone = measure(method.restore, one, method.restore(one), one.truth)[0]
        assert alone.implied == pytest.approx(found.implied, abs=1e-5)
        assert alone.arrays["parts"].shape == (3, 9, 12)
        torch.testing.assert_close(alone.arrays["implied"], found.arrays["implied"], rtol=0, atol=2e-3)
    gray = observe(photograph(16, 16, channels=1).float(), 25)
    assert gray.truth is not None
    assert measure(method.restore, gray, method.restore(gray), gray.truth)[0].arrays["error"].shape == (4, 4)


# --- the analyses ----------------------------------------------------------------------------------------------------


def test_the_best_phi_is_the_best() -> None:
    """Against all φ of a grid, on random f, g and x; where f = g, φ does not matter."""
    random = np.random.RandomState(0)
    f, g = random.randn(2, 2, 50) * 20
    parts = np.stack([(f * f).mean(0), (f * g).mean(0), (g * g).mean(0)])[:, None]
    phi = best_phi(parts)
    assert phi.min() == 0, "clipped: g would only harm"
    assert phi.max() == 1
    grid = np.linspace(0, 1, 2001)[:, None, None]
    np.testing.assert_allclose(phi[0], grid[error(parts, grid).argmin(0)[0], 0, 0], atol=5.1e-4)
    np.testing.assert_allclose(error(parts, 0.3)[0], ((0.7 * f + 0.3 * g) ** 2).mean(0))
    assert np.isnan(best_phi(np.full((3, 1), 4.0))).all()


def test_a_method_with_the_best_phi_captures_all() -> None:
    clean = photograph(32, 32).float()
    observation = observe(clean, 50)
    assert observation.truth is not None
    g = torch.nn.functional.avg_pool2d(clean, 5, 1, 2)
    distance = torch.nn.functional.avg_pool2d((observation.y - g).square().mean(1, keepdim=True), BLOCK)
    inner = ((observation.y - g) * (observation.y - clean)).mean(1, keepdim=True)
    phi = (torch.nn.functional.avg_pool2d(inner, BLOCK) / distance).clamp(0, 1)
    phi = torch.nn.functional.interpolate(phi, scale_factor=BLOCK, mode="nearest")
    base = Restoration.fused(observation.y, g, phi)
    arrays = measure(lambda o: Restoration.fused(o.y, g, phi), observation, base, observation.truth)[0].arrays
    found = of_image(Maps({name: values.double().numpy() for name, values in arrays.items()}))
    assert found["mse"] == pytest.approx(found["mse_best"], rel=2e-3)
    assert found["distance"] < 2e-3
    assert found["correlation"] > 0.999
    assert found["mse_best"] < min(found["mse_data"], found["mse_prior"], found["mse_constant"])


def test_ause_of_a_perfect_an_ignorant_and_a_reversed_order() -> None:
    random = np.random.RandomState(0)
    errors = random.rand(1000) ** 2
    assert ause(errors, errors)[0] == pytest.approx(0, abs=1e-12)
    assert ause(np.exp(errors), errors)[0] == pytest.approx(0, abs=1e-12), "only the order counts"
    constant, area = ause(np.ones(1000), errors)
    assert constant == pytest.approx(area)
    assert ause(random.rand(1000), errors)[0] == pytest.approx(area, abs=0.05)
    assert ause(-errors, errors)[0] > area
    assert np.isnan(ause(errors, np.zeros(1000))).all()


def test_risk_of_a_known_order() -> None:
    """Errors 1, 2, 3, 4 given up from the largest: means 1, 1.5, 2, 2.5 over the last."""
    curve = risk(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]))
    assert curve[[24, 49, 74, 99]] == pytest.approx([0.4, 0.6, 0.8, 1.0])
    tied = risk(np.array([1.0, 1, 2, 2]), np.array([4.0, 2, 1, 1]))
    assert tied[[24, 49, 99]] == pytest.approx([1.5, 1.5, 1.0])


def test_bins_of_a_calibrated_phi() -> None:
    phi = np.linspace(0, 1, 1000)
    found = bins(phi, (10 * phi) ** 2)
    assert len(found) == 10
    assert found.blocks.eq(100).all()
    assert found.rmse.to_numpy() == pytest.approx(10 * found.phi.to_numpy(), rel=0.2)
    assert found.rmse.is_monotonic_increasing
    assert list(found.index) == list(range(10))
    assert len(bins(np.repeat([0.0, 1.0], [300, 700]), phi)) == 2, "equal values share a bin"


@pytest.fixture(autouse=True)
def coarse_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw at a tenth of the resolution: encoding is most of the time of a figure."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", partialmethod(Figure.savefig, dpi=16))


@pytest.fixture
def blind(run_here: Runner, tmp_path: Path) -> Path:
    """A blind run of three tiny images, with reliance."""
    out = tmp_path / "blind"
    run_here("--methods", "local-wiener,nlm,fourier-wiener,noisy", "--sigma", "5:50", "--reliance", out=out)
    return out


def test_every_analysis_is_written_or_said_to_be_missing(
    run_here: Runner, blind: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_here("--methods", "harmonic,ring-mean", "--reliance", task="inpaint-center", out=tmp_path / "holes")
    run_here("--methods", "local-wiener,nlm", "--reliance", out=tmp_path / "known")
    capsys.readouterr()
    assert main([str(blind), str(tmp_path / "holes"), str(tmp_path / "known"), "--out", str(tmp_path / "all")]) == 0
    said = capsys.readouterr()
    assert "not written" not in said.out
    for name in ANALYSES:
        assert len(pd.read_csv(tmp_path / "all" / f"{name}.csv")) >= 1
        assert (tmp_path / "all" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    holes = pd.read_csv(tmp_path / "all" / "holes.csv").set_index(["method", "side"])
    assert holes.implied["harmonic", "inside"] == pytest.approx(1)
    assert holes.implied["harmonic", "outside"] == pytest.approx(0, abs=1e-3)
    assert holes.rmse["harmonic", "outside"] == pytest.approx(0, abs=1e-3)
    assert set(pd.read_csv(tmp_path / "all" / "shift.csv").method) >= {"local-wiener", "nlm"}


def test_one_run_is_analysed_into_its_folder(blind: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(blind)]) == 0
    said = capsys.readouterr().out
    assert (blind / "analyses" / "sure.png").exists()
    assert "not written: holes: no image here has a hole" in said
    assert "not written: shift: no task has two runs" in said
    before = (blind / "analyses" / "oracle.csv").read_bytes()
    main([str(blind)])
    assert (blind / "analyses" / "oracle.csv").read_bytes() == before


def test_declared_and_implied_of_a_run(blind: Path) -> None:
    found = declared_implied(Runs.read([blind]))[0].set_index("method")
    assert found.check.dropna().max() < 0.005, "held fixed, the declared φ is what the fusion does"
    assert found.check_map["nlm"] < 0.1, "up to the local average of one map"
    assert found.gap["noisy"] == pytest.approx(0, abs=1e-3)
    assert found.gap["local-wiener"] > 0.01
    assert (found.gap_low <= found.gap).all()


def test_sure_of_a_run_is_near_the_error(blind: Path) -> None:
    found = stein(Runs.read([blind]))[0].set_index("method")
    assert found.ratio["noisy"] == pytest.approx(1, abs=0.1)
    assert found.images.eq(3).all()


def test_phi_rises_with_sigma(tmp_path: Path, run_here: Runner) -> None:
    runs = Runs.read([_synthetic(tmp_path / "made")])
    found, draw = phi_against_level(runs)
    line = found[found.phi == "declared"].iloc[0]
    assert line.pearson == pytest.approx(1)
    assert line.spearman == pytest.approx(1)
    assert line.pearson_low <= line.pearson <= line.pearson_high + 1e-12
    implied = found[found.phi == "implied"].iloc[0]
    assert implied.spearman == pytest.approx(-1)
    assert "σ, 0–255" in " ".join(draw().axes[0].get_xlabel().split())


def _synthetic(out: Path, images: int = 12) -> Path:
    """A run whose φ is known: declared σ/50, implied falling with σ."""
    folder, task, protocol = RunFolder(out), get_task("denoise", sigma="5:50"), get_protocol("standard")
    out.mkdir()
    folder.record_file((task.level, "psnr")).append(
        Record(task.name, "made", f"i{n}", "tv", {task.level: s, "psnr": 30.0}, phi_mean=s / 50, phi_implied=1 / s)
        for n, s in enumerate(np.linspace(5, 50, images))
    )
    folder.write_facts(
        Facts(
            Setting(task, "made", "test", 0, protocol, "cpu"),
            protocol.measures("psnr"),
            {"tv": RowFacts("tv", "0")},
            {f"i{n}": "hash" for n in range(images)},
            Counts(images, images),
            status="finished",
        )
    )
    return out


def test_missing_maps_are_said_and_the_rest_is_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = _synthetic(tmp_path / "made")
    assert main([str(out)]) == 0
    said = capsys.readouterr()
    assert "12 records have no maps, for instance tv on i0" in said.err
    assert (out / "analyses" / "phi-sigma.csv").exists()
    assert "not written: oracle: no maps are there: run the benchmark with --reliance." in said.out
    assert not (out / "analyses" / "oracle.csv").exists()


def test_a_run_without_reliance_says_so(run_here: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_here("--methods", QUICK)
    capsys.readouterr()
    assert main([str(tmp_path / "run")]) == 0  # the share of φ outside [0,1] is in the records
    said = capsys.readouterr()
    assert "9 of 9 records have no implied reliance" in said.err
    assert "not written: sure: SURE was not measured" in said.out


def test_bad_folders_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not the folder of a run" in fails(capsys, str(tmp_path / "nowhere"))
    out = _synthetic(tmp_path / "made")
    assert "the same experiment" in fails(capsys, str(out), str(out))
    facts = json.loads((out / "run.json").read_text())
    (out / "records.csv").unlink()
    assert "holds no records" in fails(capsys, str(out))
    (out / "run.json").write_text(json.dumps(facts | {"version": 0}))
    assert "is of version 0" in fails(capsys, str(out))


def test_a_damaged_map_is_named(blind: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (blind / "reliance" / "crop0" / "nlm.npz").write_bytes(b"half a file")
    said = fails(capsys, str(blind))
    assert "nlm.npz cannot be read" in said
    assert "--reliance" in said


def test_an_analysis_without_its_data_says_what_is_missing(tmp_path: Path) -> None:
    runs = Runs.read([_synthetic(tmp_path / "made")])
    refused = {}
    for name, analysis in ANALYSES.items():
        try:
            analysis(runs)
        except Missing as reason:
            refused[name] = str(reason)
    assert set(refused) == set(ANALYSES) - {"phi-sigma"}
    shutil.rmtree(tmp_path / "made")
    with pytest.raises(SuiteError, match="not the folder"):
        analyse([tmp_path / "made"], tmp_path / "out")


def test_oracle_rows_are_those_of_the_facts(blind: Path) -> None:
    """The row that was told σ has the maps of the one that was not: it is not shown beside it."""
    facts = RunFolder(blind).facts
    told = {label for label in facts.rows if facts.is_oracle(label)}
    assert told == {label for label in facts.rows if Row.parse(label).oracle} != set()
    shown = set(ANALYSES["maps"](Runs.read([blind]))[0].method)
    assert shown
    assert not shown & told


def test_runs_with_and_without_a_level_stand_side_by_side(run_here: Runner, blind: Path, tmp_path: Path) -> None:
    run_here("--methods", "harmonic", "--reliance", task="inpaint-center", out=tmp_path / "holes")
    records = Runs.read([blind, tmp_path / "holes"]).records
    denoised = records.task == "denoise"
    assert records.level[~denoised].isna().all()
    pd.testing.assert_series_equal(records.level[denoised], records.sigma[denoised], check_names=False)


def test_a_linked_folder_is_not_written_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, other = _synthetic(tmp_path / "made"), tmp_path / "other"
    other.mkdir()
    (out / "analyses").symlink_to(other)
    assert "is a link" in fails(capsys, str(out))
    assert list(other.iterdir()) == []
