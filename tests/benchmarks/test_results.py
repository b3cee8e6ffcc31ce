"""What is committed in `results/` and the README follows from its records."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from statistics import mean

import pandas as pd
import pytest

from benchmarks.environment import ROOT
from benchmarks.paper.__main__ import OUT
from benchmarks.paper.experiments import EXPERIMENTS, MGAN, Experiment
from benchmarks.paper.released import scores
from benchmarks.paper.runs import SEEDS, Runs
from benchmarks.plan import read_run
from benchmarks.published import FOLDER, published_psnr
from benchmarks.records import RecordFile
from benchmarks.regenerate import BEGIN, END, LSUN, RUNS, folder, readme_block, rewrite_readme
from benchmarks.regenerate import read as read_anew
from benchmarks.summary import to_latex, to_markdown
from datasets.errors import SuiteError

read = cache(read_anew)
THERE = [name for name in RUNS if (folder(name) / "run.json").exists()]


def test_the_main_job_is_committed() -> None:
    assert "denoise-photos" in THERE


@pytest.mark.parametrize("name", THERE)
def test_committed_tables_follow_from_committed_records(name: str) -> None:
    run, records = read_run(folder(name)), RecordFile(folder(name) / "records.csv").load().records
    assert run["status"] == "finished"
    assert len(records) == run["counts"]["asked"] == run["counts"]["done"]
    summary = read(name)
    assert (folder(name) / "summary.md").read_text() == to_markdown(summary)
    assert (folder(name) / "summary.tex").read_text() == to_latex(summary)
    pd.testing.assert_frame_equal(pd.read_csv(folder(name) / "pairs.csv"), summary.pairs, rtol=1e-4, check_dtype=False)


def test_the_readme_follows_from_committed_records() -> None:
    text = (ROOT / "README.md").read_text()
    assert BEGIN in text
    assert text.partition(BEGIN)[2].partition(END)[0] == readme_block().partition(BEGIN)[2].partition(END)[0]


def _mean(name: str, method: str, column: str = "psnr_all") -> float:
    return float(read(name).table.set_index("method").loc[method, column])


@pytest.mark.parametrize("name", ["denoise-set12-15", "denoise-set12-25", "denoise-bsd68-25", "denoise-cbsd68-25"])
def test_bm3d_is_as_published(name: str) -> None:
    assert _mean(name, "bm3d") == pytest.approx(_mean(name, "bm3d", "published_psnr"), abs=0.15)


@pytest.mark.parametrize(
    "name", ["denoise-set12-15", "denoise-set12-25", "denoise-set12-50", "denoise-bsd68-25", "denoise-cbsd68-25"]
)
def test_our_collaborative_filter_stands_beside_the_package(name: str) -> None:
    assert _mean(name, "collaborative-wiener") >= _mean(name, "bm3d") - 0.15


def test_classic_rows_on_the_papers_test_images() -> None:
    assert _mean("inpaint-center-lsun-bedroom", "telea") >= 27.5
    assert _mean("colorize-lsun-bedroom", "chroma-given-luma-bedroom", "auc_all") >= 90.0


@pytest.mark.parametrize("name", [name for name in THERE if name.startswith("denoise-cbsd68")])
def test_denoising_networks_on_cbsd68(name: str) -> None:
    published = published_psnr("denoise", "cbsd68", name.rpartition("-")[2])
    assert _mean(name, "ffdnet-color") == pytest.approx(published["ffdnet-color"][0], abs=0.05)
    assert _mean(name, "unet-blind") > published["bm3d"][0]


@pytest.mark.parametrize(("name", "method"), [("denoise-set12-25", "dncnn-gray-25")])
def test_published_networks_are_as_published(name: str, method: str) -> None:
    assert _mean(name, method) == pytest.approx(_mean(name, method, "published_psnr"), abs=0.05)


@pytest.mark.parametrize("name", [name for name in THERE if name.startswith("denoise-blind-lsun")])
def test_our_blind_denoiser_beats_bm3d_that_is_told_the_noise(name: str) -> None:
    for method in ("unet-blind", "bigprior"):
        assert _mean(name, method) > _mean(name, "bm3d@true-sigma") + 0.4


def test_our_colours_of_churches() -> None:
    table = read("colorize-lsun-church").table.set_index("method")
    assert table.auc_all["chroma-cnn"] > 91.0
    classic = [row for row in table.index if row.startswith("chroma-given") or row in ("gray", "constant-chroma")]
    assert table.psnr_median["chroma-cnn"] > table.psnr_median[classic].max()


def test_bedrooms_alone_teach_the_colours_of_bedrooms() -> None:
    table = read("colorize-lsun-bedroom").table.set_index("method")
    classic = [row for row in table.index if row.startswith("chroma-given") or row in ("gray", "constant-chroma")]
    assert table.auc_all["chroma-cnn-250"] > table.auc_all[classic].max()


def test_a_critic_buys_lpips_for_psnr() -> None:
    """Of every row for centre holes the network trained against a critic has the lowest LPIPS, on each set."""
    for set_ in LSUN:
        table = read(f"inpaint-center-{set_}").table.set_index("method")
        others = table.drop("gated-gan")
        assert table.lpips_all["gated-gan"] < others.lpips_all.min() - 0.002
        assert table.psnr_all["gated-gan"] < table.psnr_all["gated-cnn"]


def test_our_inpainting_network_beats_telea_and_its_psnr_deepfill() -> None:
    def over(kind: str, method: str, column: str) -> list[float]:
        return [_mean(f"{kind}-{s}", method, column) for s in LSUN]

    table = pd.read_csv(FOLDER / "bigprior_tables.csv")
    deepfill = table[table.method == "deepfill-v2"].set_index("metric").value
    for metric in ("psnr", "ssim"):
        assert mean(over("inpaint-center", "gated-cnn", f"{metric}_all")) > deepfill[metric]
    assert mean(over("inpaint-center", "gated-cnn", "psnr_all")) > mean(over("inpaint-center", "telea", "psnr_all"))
    assert mean(over("inpaint-center", "gated-cnn", "lpips_all")) < mean(over("inpaint-center", "telea", "lpips_all"))
    ours, telea = over("inpaint-random", "gated-cnn", "psnr_all"), over("inpaint-random", "telea", "psnr_all")
    assert all(a > b for a, b in zip(ours, telea, strict=True))


FUSED = {
    "colorize-lsun-bedroom": {"psnr": 23.08, "auc": 89.27},
    "colorize-lsun-church": {"psnr": 23.43, "auc": 90.64},
    **{f"inpaint-center-{s}": {"psnr": v} for s, v in zip(LSUN, (26.64, 24.88, 24.30), strict=True)},
    **{f"inpaint-random-{s}": {"psnr": v} for s, v in zip(LSUN, (23.22, 21.94, 22.20), strict=True)},
    **{f"denoise-blind-{s}": {"psnr": v} for s, v in zip(LSUN, (26.80, 23.38, 24.70), strict=True)},
}
"""What the paper's fusion reached, as printed or, where only a mean of three sets was, from its released arrays."""


def test_our_fusion_is_better_than_the_papers_in_every_experiment() -> None:
    assert set(FUSED) == {e.run for e in EXPERIMENTS}
    ours = {(run, metric): _mean(run, "bigprior", f"{metric}_all") for run, told in FUSED.items() for metric in told}
    assert [key for key, value in ours.items() if value <= FUSED[key[0]][key[1]]] == []


RANDOM = [e for e in EXPERIMENTS if e.random]


@pytest.mark.parametrize("experiment", RANDOM, ids=[e.run for e in RANDOM])
def test_what_seed_0_says_is_true_of_every_draw(experiment: Experiment) -> None:
    """The fusion is over the paper's, over the other rows that were drawn, and not under the better of its parts."""
    rows = Runs(experiment, OUT).draws("psnr").pivot(index="seed", columns="method", values="value")
    assert list(rows.index) == list(SEEDS)
    assert rows.notna().all(axis=None)
    fused = rows.pop("bigprior")
    assert fused.min() > FUSED[experiment.run]["psnr"]
    assert (fused > rows.max(axis=1) - 0.05).all()
    assert (fused > rows.drop(columns="bigprior-prior").max(axis=1)).all()


@pytest.mark.realdata
def test_our_prior_alone_against_the_papers() -> None:
    """Better in at least nine of the eleven experiments."""
    released = {e.run: scores(e, MGAN, "psnr") for e in EXPERIMENTS}
    wins = [_mean(run, "bigprior-prior") > values.mean() for run, values in released.items() if values is not None]
    assert len(wins) == 11
    assert sum(wins) >= 9


FIDELITY = {"denoise": "noisy", "inpaint": "harmonic", "colorize": "chroma-given-luma-row"}
"""The row that is f(y) of `bigprior`, by the first word of a run."""


@pytest.mark.parametrize("run", [e.run for e in EXPERIMENTS])
def test_the_fusion_is_not_under_the_better_of_its_parts(run: str) -> None:
    """By more than 0.05 dB, on the mean of an experiment."""
    parts = [_mean(run, row) for row in (FIDELITY[run.partition("-")[0]], "bigprior-prior")]
    assert _mean(run, "bigprior") >= max(parts) - 0.05


@pytest.mark.parametrize("set_", LSUN)
def test_bigprior_beats_the_rows_to_beat(set_: str) -> None:
    assert _mean(f"denoise-blind-{set_}", "bigprior") > _mean(f"denoise-blind-{set_}", "bm3d@true-sigma")
    for kind in ("inpaint-center", "inpaint-random"):
        for row in ("telea", "harmonic"):
            assert _mean(f"{kind}-{set_}", "bigprior") > _mean(f"{kind}-{set_}", row)


def test_the_runner_takes_little_of_a_long_run() -> None:
    long = [seconds for name in THERE if (seconds := read_run(folder(name))["seconds"])["total"] > 300]
    assert long, "the seconds of a run that was gone on with are those of its last part"
    assert all(seconds["outside_of_total"] <= 0.05 for seconds in long)


def test_a_readme_without_marks_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("mine")
    with pytest.raises(SuiteError, match="no block between"):
        rewrite_readme(path)
    assert path.read_text() == "mine"
