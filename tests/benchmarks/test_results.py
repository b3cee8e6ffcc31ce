"""What is committed in `results/` follows from its records, and the lists of it are complete."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from benchmarks import regenerate
from benchmarks.folder.facts import Facts
from benchmarks.folder.run_folder import RunFolder
from benchmarks.queue import execute
from benchmarks.regenerate import RESULTS, ROOT, arguments_of, blocks, committed, folders, listed, runs
from benchmarks.regenerate.__main__ import main, named
from benchmarks.regenerate.stamp import stamp, write_sample
from benchmarks.session import requests
from benchmarks.tables.render import to_latex, to_markdown
from datasets.errors import SuiteError
from tests.benchmarks.conftest import Runner

read = cache(blocks.read)


def test_every_run_is_in_the_list_and_every_entry_of_the_list_has_been_made() -> None:
    of_studies = tuple(f"{study}/" for study in listed().studies)
    assert {folder for folder in folders() if not folder.startswith(of_studies)} == set(runs())
    for folder in (*runs(), *listed().studies):
        assert committed(folder).is_dir()


@pytest.mark.parametrize("folder", runs())
def test_a_folder_is_called_after_what_it_holds(folder: str) -> None:
    (request,) = requests(arguments_of(folder))
    setting = RunFolder(committed(folder)).facts.setting
    assert (request.task, request.dataset.label) == (setting.task, setting.dataset)
    assert (request.seed, request.protocol, request.device) == (setting.seed, setting.protocol.name, setting.device)
    parameters = "".join(f"-{key}{str(value).replace(':', '-')}" for key, value in setting.task.parameters.items())
    assert folder == f"{setting.task.name}/{request.dataset.folder_name}{parameters}"
    assert request.out == committed(folder)


@pytest.mark.parametrize("folder", folders())
def test_the_facts_of_a_folder_are_those_of_its_records(folder: str) -> None:
    run = RunFolder(committed(folder))
    facts, records = run.facts, run.records
    assert facts.status == "finished"
    assert len(records) == facts.counts.asked == facts.counts.done
    assert (records.error == "").all()
    assert list(dict.fromkeys(records.image)) == list(facts.images)
    assert set(records.method) == set(facts.rows)
    assert records[[measure.name for measure in facts.image_measures]].notna().all(axis=None)
    assert Path(facts.arguments["out"]) == Path("results") / folder


@pytest.mark.slow  # half a minute of bootstrap
@pytest.mark.parametrize("folder", runs())
def test_committed_tables_follow_from_committed_records(folder: str) -> None:
    path, summary = committed(folder), read(folder)
    assert (path / "summary.md").read_text() == to_markdown(summary)
    assert (path / "summary.tex").read_text() == to_latex(summary)
    pairs = pd.read_csv(path / "pairs.csv")
    pd.testing.assert_frame_equal(pairs, summary.pairs, rtol=1e-4, check_dtype=False)
    table = pd.read_csv(path / "summary.csv", keep_default_na=False, na_values=[""])
    pd.testing.assert_frame_equal(table[["method", "images"]], summary.table[["method", "images"]], check_dtype=False)


MANY = (RESULTS / "README.md", ROOT / "docs" / "notebook" / "priors.md")
"""Files with blocks that are made of the records of many folders."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, marks=pytest.mark.slow if p in MANY else (), id=p.relative_to(ROOT).as_posix())
        for p in blocks.BLOCKS
    ],
)
def test_the_blocks_of_results_follow_from_what_is_stored(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "read", read)
    again = Path(shutil.copy(path, tmp_path))
    blocks.rewrite(again, blocks.BLOCKS[path])
    assert again.read_text() == path.read_text()


def test_the_readme_has_the_rows_that_the_list_names() -> None:
    text = (ROOT / "README.md").read_text().partition(blocks.BEGIN)[2].partition(blocks.END)[0]
    for row in listed().readme[1]:
        assert f"| {row} |" in text


def test_a_readme_without_marks_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("mine")
    with pytest.raises(SuiteError, match="no block between"):
        blocks.rewrite(path, lambda: "")
    assert path.read_text() == "mine"


@cache
def _claims() -> ModuleType:
    spec = importlib.util.spec_from_file_location("claims", RESULTS / "claims.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["claims"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("said", _claims().CLAIMS)
def test_the_rows_of_a_claim_exist(said: str) -> None:
    """Whether it holds is asked by results/claims.py itself, in CI."""
    assert _claims().comparisons(said)


def test_a_claim_that_does_not_hold_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = _claims()
    wrong = {"two is over three": lambda: iter([claims.Comparison("here", 2.0, 3.0)]),
             "nothing": lambda: iter([claims.Comparison("there", 1.0, float("nan"))])}  # fmt: skip
    monkeypatch.setattr(claims, "CLAIMS", wrong)
    assert claims.main() == 1
    assert "FAILS  two is over three. here (2, 3)" in capsys.readouterr().out


def test_the_claims_are_a_command() -> None:
    done = subprocess.run([sys.executable, str(RESULTS / "claims.py")], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert f"of {len(_claims().CLAIMS)} claims hold." in done.stdout


def test_folders_are_named_by_themselves_or_from_above() -> None:
    assert named(["results/denoise/set12-sigma15/"], list(runs())) == ["denoise/set12-sigma15"]
    assert named(["colorize"], list(runs())) == [folder for folder in runs() if folder.startswith("colorize/")]
    assert named([], ["a", "b"]) == ["a", "b"]
    with pytest.raises(SuiteError, match="Did you mean denoise/photos-sigma25"):
        named(["denoise/photo-sigma25"], list(runs()))


def test_a_typo_and_help_cost_little() -> None:
    """Nothing heavy is imported before the command line has been read."""
    code = "import sys; from benchmarks.regenerate.__main__ import parser; parser(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.fixture
def one_run(run_here: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of results with a run of two photographs by two rows, made on this machine."""
    monkeypatch.setattr(regenerate, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("benchmarks.regenerate.stamp.execute", partial(execute, make_executor=ThreadPoolExecutor))
    out = tmp_path / "results" / "a" / "b"
    options = ("--limit", "2", "--methods", "noisy,tikhonov", "--metrics", "psnr", "--device", "cpu")
    assert run_here(*options, out=out, dataset="photos") == 0
    return out


def _facts(folder: Path) -> Facts:
    return RunFolder(folder).facts


def _age(folder: Path) -> None:
    """Give the rows other fingerprints, as if their code had moved since."""
    path = folder / "run.json"
    for row in _facts(folder).rows.values():
        path.write_text(path.read_text().replace(row.fingerprint, "0" * 16))


def test_stamp_renews_fingerprints_after_equal_results(one_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = _facts(one_run)
    _age(one_run)
    assert stamp("a/b") == 0
    after = _facts(one_run)
    assert after.rows == before.rows
    assert after.stamped
    assert "2 results of 2 rows are equal to the last bit: stamped" in capsys.readouterr().out


def test_stamp_tells_a_difference_in_the_last_digit_and_leaves_that_row(
    one_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = one_run / "records.csv"
    value = repr(float(RunFolder(one_run).records.query("method == 'tikhonov'").psnr.iloc[0]))
    last = "1" if value[-1] != "1" else "2"
    records.write_text(records.read_text().replace(value, value[:-1] + last))
    _age(one_run)
    before = RunFolder(one_run).facts.rows
    assert stamp("a/b") == 1
    assert f"is {value}" in (said := capsys.readouterr().out)
    assert "1 of 2 results differ; 1 rows are not stamped, 1 are" in said
    after = RunFolder(one_run).facts.rows
    assert after["tikhonov"] == before["tikhonov"]
    assert [row for row in after if after[row] != before[row]] == [row for row in before if row != "tikhonov"]


def test_a_reference_stands_for_the_records_but_not_far_from_them(one_run: Path, tmp_path: Path) -> None:
    assert write_sample("a/b", 1, tmp_path / "then") == 0
    records = one_run / "records.csv"
    value = RunFolder(one_run).records.query("method == 'tikhonov'").psnr.iloc[0]
    original = records.read_text()
    records.write_text(original.replace(repr(float(value)), repr(float(value) + 1e-6)))
    assert stamp("a/b") == 1
    assert stamp("a/b", reference=tmp_path / "then") == 0
    records.write_text(original.replace(repr(float(value)), repr(float(value) + 1)))
    assert stamp("a/b", reference=tmp_path / "then") == 1


def test_stamp_needs_the_images_that_were_measured(one_run: Path) -> None:
    path = one_run / "run.json"
    (digest, *_) = _facts(one_run).images.values()
    path.write_text(path.read_text().replace(digest, "0" * 64))
    with pytest.raises(SuiteError, match="has changed"):
        stamp("a/b")


def test_numbers_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="--sample 0 is out of range"):
        main(["--stamp", "--sample", "0"])
    with pytest.raises(SuiteError, match="is no folder"):
        main(["--stamp", "--reference", str(tmp_path / "none")])
