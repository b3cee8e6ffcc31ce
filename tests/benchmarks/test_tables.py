"""The table of a paper from several runs, and the rows of other runs beside those of one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.folder.run_folder import RunFolder
from benchmarks.run import main as run
from benchmarks.tables.__main__ import main, run_folders
from benchmarks.tables.against import beside
from benchmarks.tables.paper_layout import PaperTable, Value, lay_out, to_csv, to_latex, to_markdown
from benchmarks.tables.summary import BEST, summarise
from datasets.errors import SuiteError

OURS, THEIRS = "noisy,bilateral", "noisy,nlm,local-wiener"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two levels of σ, and a folder of another run of one of them with other rows."""
    out = tmp_path_factory.mktemp("runs")
    shared = ["--task", "denoise", "--limit", "3", "--jobs", "1", "--metrics", "psnr,ssim"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("benchmarks.tables.figures.draw_all", lambda *_: [])
        assert run([*shared, "--sigma", "5,25", "--methods", OURS, "--out", str(out / "mine")]) == 0
        assert run([*shared, "--sigma", "25", "--methods", THEIRS, "--out", str(out / "theirs" / "deep" / "run")]) == 0
    return out


def laid_out(runs: Path, **options: list[str]) -> PaperTable:
    folders = [RunFolder(path) for path in run_folders([runs / "mine"])]
    return lay_out([(f.facts, summarise(f.records, f.facts)) for f in folders], **options)


def test_numbers_in_names_are_in_their_order(runs: Path) -> None:
    assert [path.name for path in run_folders([runs / "mine"])] == ["denoise-5-photos", "denoise-25-photos"]


def test_the_values_are_those_of_the_runs(runs: Path) -> None:
    table = laid_out(runs, metrics=["psnr", "ssim"])
    assert [group.name for group in table.groups] == ["photos sigma=5", "photos sigma=25"]
    for group, path in zip(table.groups, run_folders([runs / "mine"]), strict=True):
        means = pd.read_csv(path / "records.csv").groupby("method")[["psnr", "ssim"]].mean()
        for row in table.rows:
            assert group.columns[0][row].text == f"{means.psnr[row]:.2f}"
            assert group.columns[1][row].text == f"{means.ssim[row]:.4f}"


def test_best_and_second_are_among_the_rows_that_are_shown(runs: Path) -> None:
    table = laid_out(runs)
    values = {row: [float(value.text) for value in table.line(row)] for row in table.rows}
    for place in range(2):
        ordered = sorted(table.rows, key=lambda row: -values[row][place])
        assert [table.line(row)[place].rank for row in ordered] == [BEST, "second"]
    alone = laid_out(runs, rows=["noisy"])
    assert [value.rank for value in alone.line("noisy")] == [BEST, BEST]


def test_rows_are_selected_in_the_order_asked_for_and_unknown_ones_named(runs: Path) -> None:
    assert laid_out(runs, rows=["bilateral", "noisy"]).rows == ("bilateral", "noisy")
    with pytest.raises(SuiteError, match=r"unknown row 'bilaterl'. Did you mean bilateral"):
        laid_out(runs, rows=["bilaterl"])
    with pytest.raises(SuiteError, match="unknown metric 'psmr'"):
        laid_out(runs, metrics=["psmr"])


def test_every_format_says_the_same(runs: Path) -> None:
    table = laid_out(runs, metrics=["psnr", "ssim"])
    cells = [value.text for row in table.rows for value in table.line(row)]
    for text in (to_csv(table), to_markdown(table), to_latex(table)):
        assert all(cell in text for cell in cells)
    assert to_latex(table).count(r"\textbf{") == to_markdown(table).split("\n\n")[0].count("**") // 2 == 4
    assert pd.read_csv(pd.io.common.StringIO(to_csv(table))).shape == (2, 5)
    said = " ".join(table.caption)
    assert "psnr|rgb|u8|crop0" in said
    assert "Seed 0" in said
    assert RunFolder(runs / "mine" / "denoise-5-photos").facts.commit[:7] in said


def test_what_is_tied_has_a_dagger(runs: Path) -> None:
    made = laid_out(runs)
    first = made.groups[0]
    tied = {row: Value(value.text, value.rank, True) for row, value in first.columns[0].items()}
    table = PaperTable(made.rows, (type(first)(first.name, first.heads, (tied,)),), made.caption)
    assert to_markdown(table).count("†") == to_latex(table).count(r"$^\dagger$") == 2


def test_rows_of_another_folder_stand_beside(runs: Path) -> None:
    folder = RunFolder(runs / "mine" / "denoise-25-photos")
    records, facts = beside(folder, runs / "theirs")
    assert set(facts.rows) == {"noisy", "bilateral", "nlm", "local-wiener"}
    theirs = RunFolder(runs / "theirs" / "deep" / "run").records.set_index(["image", "method"])
    for line in records.itertuples():
        if line.method in ("nlm", "local-wiener"):
            assert line.psnr == theirs.psnr[line.image, line.method]
            assert line.seconds == theirs.seconds[line.image, line.method], "one machine: times can be compared"
    assert len(records) == 12
    assert not records.duplicated(["image", "method"]).any()


def changed(runs: Path, tmp_path: Path, change: Callable[[dict], None]) -> Path:
    """A copy of the other run with other facts."""
    copy = tmp_path / "copy" / "run"
    shutil.copytree(runs / "theirs" / "deep" / "run", copy)
    facts = json.loads((copy / "run.json").read_text("utf-8"))
    change(facts)
    (copy / "run.json").write_text(json.dumps(facts), "utf-8")
    return copy.parent


def test_times_of_other_libraries_are_left_out_and_the_row_says_so(runs: Path, tmp_path: Path) -> None:
    others = changed(runs, tmp_path, lambda facts: facts["versions"].update(torch="0.1"))
    records, facts = beside(RunFolder(runs / "mine" / "denoise-25-photos"), others)
    assert records.seconds[records.method == "nlm"].isna().all()
    assert records.seconds[records.method == "noisy"].notna().all()
    assert "torch 0.1: its times are left out" in facts.rows["nlm"].remarks[-1]
    assert any("torch 0.1" in warning for warning in summarise(records, facts).warnings)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["images"].update(astronaut="0"),
        lambda facts: facts.update(seed=1),
        lambda facts: facts["parameters"].update(sigma="26"),
    ],
    ids=["another image", "another seed", "another σ"],
)
def test_what_is_of_another_setting_stands_beside_nothing(
    runs: Path, tmp_path: Path, change: Callable[[dict], None]
) -> None:
    others = changed(runs, tmp_path, change)
    with pytest.raises(SuiteError, match="holds no run of denoise sigma=25 on photos"):
        beside(RunFolder(runs / "mine" / "denoise-25-photos"), others)


def test_the_command_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(runs / "mine")
    assert main([folder, "--layout", "paper", "--format", "csv", "--rows", "noisy"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("noisy,")
    assert main([folder, "--layout", "paper"]) == 0
    assert "photos sigma=25" in capsys.readouterr().out
    assert main([f"{folder}/denoise-25-photos", "--against", str(runs / "theirs")]) == 0
    assert "local-wiener" in capsys.readouterr().out
    assert main([folder, "--layout", "paper", "--against", str(runs / "theirs")]) == 0
    printed = capsys.readouterr()
    assert "local-wiener" in printed.out
    assert "note: " in printed.err, "one of the two has nothing beside it"
    assert "holds no run of denoise sigma=5 on photos" in printed.err
    with pytest.raises(SuiteError, match="holds no run of denoise sigma=5"):
        main([f"{folder}/denoise-5-photos", "--against", str(runs / "theirs")])
    with pytest.raises(SuiteError, match="--rows belongs to --layout paper"):
        main([folder, "--rows", "noisy"])
    with pytest.raises(SuiteError, match="is not a folder"):
        main([folder, "--against", str(runs / "none")])
