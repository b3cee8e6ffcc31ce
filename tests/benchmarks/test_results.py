"""What is committed in `results/` and the README follows from its records."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.environment import ROOT
from benchmarks.plan import read_run
from benchmarks.records import RecordFile
from benchmarks.regenerate import BEGIN, END, RUNS, folder, read, readme_block, rewrite_readme
from benchmarks.summary import to_latex, to_markdown
from datasets.errors import SuiteError

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


def test_the_runner_takes_little_of_a_long_run() -> None:
    seconds = read_run(folder("denoise-cbsd68-25"))["seconds"]
    assert seconds["total"] > 30
    assert seconds["outside_of_total"] <= 0.05


def test_a_readme_without_marks_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("mine")
    with pytest.raises(SuiteError, match="no block between"):
        rewrite_readme(path)
    assert path.read_text() == "mine"
