"""The runner: what a run leaves behind, going on where it was, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.exchange.rescore import rescore
from benchmarks.folder.provenance import ROOT
from benchmarks.folder.records import TIMINGS, RecordFile, columns
from benchmarks.folder.run_folder import RunFolder
from benchmarks.run import main
from datasets.cli import guarded
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from tests.benchmarks.conftest import Runner

QUICK = "noisy,local-wiener,bilateral"

BROKEN_METHOD = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from bigprior.fusion import Restoration
from datasets.task import DENOISING
from methods.base import Method

@dataclass(frozen=True)
class Broken(Method):
    name: ClassVar[str] = "broken"
    summary: ClassVar[str] = "fails on some images"
    citation: ClassVar[str] = "none: made for a test, 2026"
    problems = (DENOISING,)
    decoupled: ClassVar[bool] = False
    batch_size: ClassVar[int] = {batch}

    def restore(self, observation):
        image = observation.y.clone()
        for n in range(len(observation)):
            if observation.y[n].double().sum() > {threshold}:
                {action}
        return Restoration(image)
"""


def values(out: Path) -> pd.DataFrame:
    """The records without what differs between two runs, in the order of the file."""
    return RecordFile(out / "records.csv").load().frame().drop(columns=list(TIMINGS))


def facts(out: Path) -> dict:
    return json.loads((out / "run.json").read_text())


def fails(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run the command line, which must fail with one line, and return the line."""
    assert guarded(lambda: main(list(argv))) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert "\n" not in said
    return said


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Add a method by adding a file."""

    def add(source: str) -> None:
        (tmp_path / "plugins").mkdir(exist_ok=True)
        (tmp_path / "plugins" / "extra.py").write_text(source)
        monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path / "plugins"))

    return add


def test_a_run_leaves_what_it_promises(run_here: Runner, tmp_path: Path) -> None:
    assert run_here("--methods", QUICK) == 0
    out = tmp_path / "run"
    table = pd.read_csv(out / "records.csv")
    assert list(table.columns) == columns(("sigma", "psnr", "ssim"))
    assert len(table) == 9
    assert table.psnr.between(10, 60).all()
    assert table.phi_mean[table.method == "noisy"].eq(0).all()
    assert table.seconds.gt(0).all()
    run = facts(out)
    assert run["status"] == "finished"
    assert run["counts"] == {"images": 3, "asked": 9, "done": 9, "errors": 0}
    assert run["arguments"]["methods"] == QUICK
    assert {"torch", "numpy", "python"} <= set(run["versions"])
    assert run["hardware"]["processor"]
    assert run["seed"] == 0
    assert all(len(h) == 64 for h in run["images"].values())
    assert run["not_measured"]["lpips"] == "left out of this test"
    assert run["signatures"]["psnr"] == "psnr|rgb|u8|crop0"
    summary = pd.read_csv(out / "summary.csv")
    assert set(summary.method) == set(QUICK.split(","))
    means = table.groupby("method").psnr.mean()
    assert summary.set_index("method").psnr.to_dict() == pytest.approx(means.to_dict(), abs=1e-9)
    for name in ("summary.md", "summary.tex"):
        text = (out / name).read_text()
        assert "local-wiener" in text
        assert f"{means['local-wiener']:.2f}" in text


def test_every_method_sees_the_same_pixels_and_the_values_do_not_depend_on_company(
    run_here: Runner, tmp_path: Path
) -> None:
    """Alone, in another order, with another limit or number of jobs: the same numbers to the last bit."""
    run_here("--methods", QUICK, out=tmp_path / "all")
    run_here("--methods", "bilateral", "--limit", "2", out=tmp_path / "one")
    run_here("--methods", "bilateral,noisy", "--jobs", "1", out=tmp_path / "two")
    every = values(tmp_path / "all").set_index(["image", "method"])
    for name in ("one", "two"):
        some = values(tmp_path / name).set_index(["image", "method"])
        pd.testing.assert_frame_equal(some, every.loc[some.index], check_exact=True)


def test_a_second_run_does_nothing_again(
    run_here: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_here("--methods", QUICK)
    before = (tmp_path / "run" / "records.csv").read_bytes()
    before_facts = (tmp_path / "run" / "run.json").read_bytes()
    capsys.readouterr()

    def drawn(*_: object) -> None:
        raise AssertionError("the figures were drawn again")

    monkeypatch.setattr("benchmarks.tables.figures.draw_all", drawn)
    run_here("--methods", QUICK)
    assert "9 of 9 results are already" in capsys.readouterr().out
    assert (tmp_path / "run" / "records.csv").read_bytes() == before
    assert (tmp_path / "run" / "run.json").read_bytes() == before_facts, "says how the records came about"


def test_a_run_grows_by_methods_and_images(run_here: Runner, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_here("--methods", "noisy", "--limit", "2")
    first = pd.read_csv(out / "records.csv")
    run_here("--methods", QUICK)
    table = pd.read_csv(out / "records.csv")
    kept = table.merge(first, on=["image", "method", "seconds"])
    assert len(kept) == 2, "what was there is not measured again"
    run_here("--methods", "noisy", out=tmp_path / "other")
    run_here("--methods", QUICK, out=tmp_path / "other")
    pd.testing.assert_frame_equal(values(out), values(tmp_path / "other"), check_exact=True)
    assert facts(out)["counts"]["done"] == 9


def test_fresh_keeps_the_old_run_aside(run_here: Runner, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_here("--methods", "noisy")
    before = (out / "records.csv").read_bytes()
    run_here("--methods", "noisy", "--seed", "1", "--fresh")
    aside = list(out.glob("previous-*"))
    assert len(aside) == 1
    assert (aside[0] / "records.csv").read_bytes() == before
    assert (out / "records.csv").read_bytes() != before


def test_another_run_is_not_mixed_in(run_here: Runner, tmp_path: Path, folder: Path) -> None:
    run_here("--methods", "noisy")
    before = (tmp_path / "run" / "records.csv").read_bytes()
    for extra in (["--seed", "1"], ["--sigma", "30"], ["--protocol", "paper"]):
        with pytest.raises(SuiteError, match=r"holds another run \(.*choose another --out"):
            run_here("--methods", "noisy", *extra)
    Image.fromarray(np.zeros((48, 40, 3), np.uint8)).save(folder / "crop1.png")
    with pytest.raises(SuiteError, match="image crop1 has changed"):
        run_here("--methods", "noisy")
    assert (tmp_path / "run" / "records.csv").read_bytes() == before


def test_a_changed_row_is_measured_again(
    run_here: Runner, plugin: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other code, other weights: said and measured again; the other rows stay; --keep keeps; comments do not count."""
    weights = tmp_path / "plugins" / "factor.txt"
    source = BROKEN_METHOD.format(batch=1, threshold=1e9, action="pass").replace(
        "return Restoration(image)",
        "from pathlib import Path\n"
        "        return Restoration(image * float((Path(__file__).parent / 'factor.txt').read_text()))",
    )
    plugin(source)
    weights.write_text("0.9")
    out = tmp_path / "run"
    run_here("--methods", "broken,noisy")
    first = pd.read_csv(out / "records.csv").set_index(["image", "method"])
    capsys.readouterr()

    plugin(source.replace("import torch", "# a comment\nimport torch"))
    run_here("--methods", "broken,noisy")
    assert "6 of 6 results are already in" in capsys.readouterr().out

    weights.write_text("0.8")
    run_here("--methods", "broken,noisy", "--keep")
    said = capsys.readouterr()
    assert "broken: its code, parameters or files have changed" in said.err
    assert "kept" in said.err
    assert "6 of 6 results are already in" in said.out
    pd.testing.assert_frame_equal(pd.read_csv(out / "records.csv").set_index(["image", "method"]), first)

    run_here("--methods", "broken,noisy")
    said = capsys.readouterr()
    assert "broken: its code, parameters or files have changed" in said.err
    assert "measured again" in said.err
    assert "3 of 6 results are already in" in said.out
    second = pd.read_csv(out / "records.csv").set_index(["image", "method"])
    assert (second.psnr.xs("broken", level=1) != first.psnr.xs("broken", level=1)).all()
    pd.testing.assert_frame_equal(second.xs("noisy", level=1), first.xs("noisy", level=1))
    aside = list(out.glob("previous-*/records.csv"))
    assert len(aside) == 1, "nothing is deleted"
    assert pd.read_csv(aside[0]).set_index(["image", "method"]).psnr.equals(first.psnr)

    run_here("--methods", "broken,noisy")
    assert "6 of 6 results are already in" in capsys.readouterr().out
    run_here("--methods", "broken,noisy", "--refresh", "noisy")
    assert "noisy: asked for by --refresh" in capsys.readouterr().err


def test_rows_settings_and_metrics_of_one_command(run_here: Runner, tmp_path: Path) -> None:
    """Three rows of one method, two settings, two metrics."""
    status = run_here(
        "--methods", "nlm,nlm[patch=5],wide=nlm[search=15]", "--sigma", "15,25",
        "--metrics", "psnr,psnr[channel=y,crop=4]",
    )  # fmt: skip
    assert status == 0
    folders = sorted(path.parent for path in (tmp_path / "run").glob("*/run.json"))
    assert len(folders) == 2
    for folder, sigma in zip(folders, (15, 25), strict=True):
        table = values(folder)
        assert set(table.method) == {"nlm", "nlm[patch=5]", "wide"}
        assert table.sigma.eq(sigma).all()
        assert {"psnr", "psnr[channel=y,crop=4]"} <= set(table.columns)
        assert "ssim" not in table.columns
        wide = table.pivot_table(index="image", columns="method", values="psnr")
        assert not wide["nlm"].equals(wide["nlm[patch=5]"])
        assert not wide["nlm"].equals(wide["wide"])
        assert facts(folder)["rows"]["wide"]["spec"] == "nlm[search=15]"


def test_metrics_can_be_added_later(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "noisy", "--metrics", "psnr")
    before = values(tmp_path / "run")
    run_here("--methods", "noisy", "--metrics", "psnr,ssim")
    after = values(tmp_path / "run")
    assert after.psnr.equals(before.psnr)
    assert after.ssim.notna().all()
    run_here("--methods", "noisy", "--metrics", "psnr,ssim", out=tmp_path / "whole")
    pd.testing.assert_frame_equal(after, values(tmp_path / "whole"), check_exact=True)


def test_a_row_can_be_told_another_sigma(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "bilateral,bilateral[sigma=true],bilateral[sigma=hidden],bilateral[sigma=50]")
    wide = values(tmp_path / "run").pivot_table(index="image", columns="method", values="psnr")
    assert wide["bilateral"].equals(wide["bilateral[sigma=true]"]), "it was told anyway"
    assert not wide["bilateral"].equals(wide["bilateral[sigma=hidden]"])
    assert not wide["bilateral"].equals(wide["bilateral[sigma=50]"])
    oracle = {label: row["oracle"] for label, row in facts(tmp_path / "run")["rows"].items()}
    assert [label for label, told in oracle.items() if told] == ["bilateral[sigma=true]"]


def test_old_spellings_are_read(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "bilateral@true-sigma", "--sigma", "5:50")
    assert set(values(tmp_path / "run").method) == {"bilateral[sigma=true]"}


def test_two_folders_of_one_name_do_not_share_a_run(run_here: Runner, folder: Path, tmp_path: Path) -> None:
    """The default folders differ; in one that is given, images of both are refused, and a grown folder is not."""
    other = tmp_path / "elsewhere" / folder.name
    other.mkdir(parents=True)
    Image.fromarray(np.full((32, 32, 3), 7, np.uint8)).save(other / "flat.png")
    assert get_dataset(str(other)).folder_name != get_dataset(str(folder)).folder_name
    run_here("--methods", "noisy")
    with pytest.raises(SuiteError, match="its images are others, such as crop0"):
        run_here("--methods", "noisy", dataset=other)
    (folder / "crop3.png").write_bytes((folder / "crop0.png").read_bytes())
    assert run_here("--methods", "noisy") == 0
    assert len(values(tmp_path / "run")) == 4


def test_blind_denoising_has_two_rows(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "noisy,bilateral", "--sigma", "5:50")
    table = values(tmp_path / "run")
    assert set(table.method) == {"noisy", "bilateral", "bilateral[sigma=true]"}
    assert table.groupby("image").sigma.nunique().eq(1).all(), "one σ per image, whatever the method"
    assert table.sigma.between(5, 50).all()
    assert table.sigma.mod(1).eq(0).all()
    wide = table.pivot_table(index="image", columns="method", values="psnr")
    assert not wide["bilateral"].equals(wide["bilateral[sigma=true]"])


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_one_failure_is_one_error(
    run_here: Runner, plugin: Callable[[str], None], tmp_path: Path, batch: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """One image of three makes the method raise: two are scored, the third is an error and is in no mean."""
    run_here("--methods", "noisy")
    sums = []
    for number in range(3):
        sums.append(float(np.asarray(Image.open(tmp_path / "images" / f"crop{number}.png")).sum() / 255))
    threshold = sorted(sums)[1] + 0.5 * (sorted(sums)[2] - sorted(sums)[1])
    plugin(BROKEN_METHOD.format(batch=batch, threshold=threshold, action="raise ValueError('too bright\\nfor me')"))
    capsys.readouterr()
    assert run_here("--methods", "noisy,broken") == 1
    table = values(tmp_path / "run")
    broken = table[table.method == "broken"].set_index("image")
    assert (broken.error == "ValueError: too bright for me").sum() == 1
    good = broken[broken.error == ""]
    assert len(good) == 2
    noisy = table[table.method == "noisy"].set_index("image")
    assert (good.psnr == noisy.psnr[good.index]).all()
    assert broken.psnr.isna().sum() == 1
    summary = pd.read_csv(tmp_path / "run" / "summary.csv").set_index("method")
    assert summary.loc["broken", "images"] == 2
    assert summary.loc["broken", "psnr"] == pytest.approx(good.psnr.mean())
    assert summary["psnr_mark"].isna().loc["broken"], "a row that misses images is not compared"
    said = capsys.readouterr().out
    assert "2/3" in said
    assert "too bright" in said


@pytest.mark.parametrize(
    ("action", "message"),
    [("image[n, 0, 0, 0] = float('nan')", "not finite"), ("image = image[..., :-1]", "returned shape")],
)
def test_a_wrong_image_is_an_error(
    run_here: Runner, plugin: Callable[[str], None], tmp_path: Path, action: str, message: str
) -> None:
    plugin(BROKEN_METHOD.format(batch=1, threshold=-1e9, action=action))
    assert run_here("--methods", "noisy,broken") == 1
    table = values(tmp_path / "run")
    assert table.error[table.method == "broken"].str.contains(message).all()
    assert table.error[table.method == "noisy"].eq("").all()


def test_errors_are_tried_again(run_here: Runner, plugin: Callable[[str], None], tmp_path: Path) -> None:
    marker = tmp_path / "mended"
    action = f"__import__('pathlib').Path({str(marker)!r}).stat()"
    plugin(BROKEN_METHOD.format(batch=1, threshold=-1e9, action=action))
    assert run_here("--methods", "broken") == 1
    marker.touch()
    assert run_here("--methods", "broken") == 0
    assert facts(tmp_path / "run")["counts"]["errors"] == 0
    assert len((tmp_path / "run" / "records.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("task", ["denoise", "inpaint-center", "inpaint-random", "colorize"])
def test_rescore_equals_scoring(run_here: Runner, tmp_path: Path, task: str) -> None:
    """Kept restorations scored again under the same protocol give the same numbers; under the other, its own."""
    chosen = {"denoise": QUICK, "colorize": "gray"}.get(task, "ring-mean,telea")
    run_here("--methods", chosen, "--save-images", task=task)
    run_here("--methods", chosen, "--protocol", "paper", out=tmp_path / "paper", task=task)
    out = tmp_path / "run"
    assert rescore(out, "standard", "cpu") == 0
    assert rescore(out, "paper", "cpu") == 0
    pd.testing.assert_frame_equal(values(out), values(out / "rescored-standard"), check_exact=True)
    pd.testing.assert_frame_equal(values(tmp_path / "paper"), values(out / "rescored-paper"), check_exact=True)
    assert facts(out / "rescored-paper")["signatures"]["ssim"] != facts(out)["signatures"]["ssim"]


def test_a_rescoring_that_is_killed_is_no_run_and_is_made_again(
    run_here: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed amid its writing, the scores of one protocol never stand beside the facts of another."""
    out = tmp_path / "run"
    run_here("--methods", "noisy", "--save-images")
    assert rescore(out, "paper", "cpu") == 0
    whole, source = values(out / "rescored-paper"), values(out)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.tables.outputs.write_reports", killed)
        with pytest.raises(KeyboardInterrupt):
            rescore(out, "paper", "cpu", metrics="psnr")
    with pytest.raises(SuiteError, match=r"no run\.json"):
        RunFolder(out / "rescored-paper").facts  # noqa: B018
    assert rescore(out, "paper", "cpu") == 0
    pd.testing.assert_frame_equal(values(out / "rescored-paper"), whole, check_exact=True)
    pd.testing.assert_frame_equal(values(out), source, check_exact=True)


@pytest.mark.parametrize("limit", [1, 2])
def test_the_first_images_give_the_same_numbers_alone(run_here: Runner, tmp_path: Path, limit: int) -> None:
    """--limit changes which images, and so which batches of a network: numbers are equal to its tolerance."""
    rows = "noisy,nlm,unet-sigma"
    run_here("--methods", rows)
    run_here("--methods", rows, "--limit", str(limit), out=tmp_path / "few")
    every, few = values(tmp_path / "run"), values(tmp_path / "few")
    same = every[every.image.isin(few.image)].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, few.reset_index(drop=True), rtol=1e-5, check_exact=False)
    classic = same.method != "unet-sigma"
    pd.testing.assert_frame_equal(same[classic], few.reset_index(drop=True)[classic], check_exact=True)


def test_saved_images_hold_the_fusion(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "local-wiener,bilateral", "--save-images", "--limit", "1")
    with np.load(tmp_path / "run" / "images" / "crop0" / "local-wiener.npz") as kept:
        fused = (1 - kept["phi"]) * kept["fidelity"] + kept["phi"] * kept["prior"]
        np.testing.assert_allclose(fused, kept["image"], atol=1e-5)
    with Image.open(tmp_path / "run" / "images" / "crop0" / "local-wiener.png") as png:
        assert png.size == (40, 48)
    assert (tmp_path / "run" / "images" / "crop0" / "local-wiener.phi.png").exists()


def test_images_can_be_asked_for_later(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "noisy")
    before = values(tmp_path / "run")
    run_here("--methods", "noisy", "--save-images")
    pd.testing.assert_frame_equal(values(tmp_path / "run"), before, check_exact=True)
    assert rescore(tmp_path / "run", "paper", "cpu") == 0


def test_rescore_without_images_says_what_to_do(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", "noisy")
    with pytest.raises(SuiteError, match="--save-images first"):
        rescore(tmp_path / "run", "paper", "cpu")
    with pytest.raises(SuiteError, match=r"no run\.json"):
        rescore(tmp_path, "paper", "cpu")


def test_unknown_names_list_the_valid_ones(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    base = ["--out", str(tmp_path / "x")]
    assert "bilateral" in fails(capsys, "--task", "denoise", "--methods", "bilaterl", *base)
    assert "inpaint-center" in fails(capsys, "--task", "inpaint-centre", *base)
    assert "photos" in fails(capsys, "--task", "denoise", "--dataset", "fotos", *base)
    assert "cpu" in fails(capsys, "--task", "denoise", "--device", "tpu", *base)
    assert "paper" in fails(capsys, "--task", "denoise", "--protocol", "papers", *base)
    assert "test" in fails(capsys, "--task", "denoise", "--split", "tests", *base)
    assert "made for" in fails(capsys, "--task", "denoise", "--methods", "telea", *base)
    assert "--methods" in fails(capsys, "--task", "denoise", "--methods", ",", *base)


@pytest.mark.parametrize("sigma", ["-1", "256", "abc", "5:", "50:5", "1:2:3", "nan", "5.5:20", ""])
def test_sigma_out_of_range(capsys: pytest.CaptureFixture[str], sigma: str) -> None:
    assert "5:50" in fails(capsys, "--task", "denoise", f"--sigma={sigma}")


def test_other_numbers_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--limit" in fails(capsys, "--task", "denoise", "--limit", "0")
    assert "--jobs" in fails(capsys, "--task", "denoise", "--jobs", "0")
    assert "--seed" in fails(capsys, "--task", "denoise", "--seed", "-1")
    assert "denoise" in fails(capsys, "--task", "colorize", "--sigma", "25")


def test_bad_images_are_named_before_work_begins(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bad"

    def said() -> str:
        argv = ["--task", "denoise", "--dataset", str(folder), "--methods", "noisy", "--out", str(out), "--strict"]
        line = fails(capsys, *argv)
        assert not (out / "records.csv").exists()
        return line

    whole = (folder / "crop1.png").read_bytes()
    (folder / "crop1.png").write_bytes(whole[: len(whole) // 2])
    assert "crop1.png" in said()
    (folder / "crop1.png").write_bytes(b"not an image")
    assert "crop1.png" in said()
    (folder / "crop1.png").unlink()
    np.save(folder / "nan.npy", np.full((32, 32), np.nan, np.float32))
    assert "nan.npy" in said()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty" in fails(capsys, "--task", "denoise", "--dataset", str(empty), "--out", str(out))


def test_one_bad_image_is_left_out_and_named(
    run_here: Runner, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "crop1.png").write_bytes(b"not an image")
    assert run_here("--methods", "noisy") == 1
    said = capsys.readouterr()
    assert "left out: " in said.out
    assert "1 image(s) were left out: crop1" in said.err
    assert set(values(tmp_path / "run").image) == {"crop0", "crop2"}
    assert facts(tmp_path / "run")["counts"]["images"] == 2


def test_another_scale_is_said(
    run_here: Runner, plugin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    plugin(BROKEN_METHOD.format(batch=1, threshold=-1e9, action="image = 255 * observation.y"))
    run_here("--methods", "noisy,broken")
    said = capsys.readouterr().err
    # Two workers: which image is done first is not fixed, and one line a row is enough.
    assert re.search(r"broken on crop\d: its values reach", said)
    assert "[0,1]" in said
    assert "noisy" not in said


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--x'])", "SystemExit: 2"),
        ("raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()", "Mute, which cannot say"),
        ("raise ValueError('a\\x1b[31mb\\nc')", "ValueError: a [31mb c"),
        ("return 7", "returned int instead of"),
        ("image = image.to(torch.complex64)", "instead of real"),
    ],
)
def test_whatever_a_method_does_is_a_record(
    run_here: Runner, plugin: Callable[[str], None], tmp_path: Path, action: str, said: str
) -> None:
    plugin(BROKEN_METHOD.format(batch=2, threshold=-1e9, action=action))
    assert run_here("--methods", "noisy,broken") == 1
    table = values(tmp_path / "run")
    assert table.error[table.method == "broken"].str.contains(said, regex=False).all()
    assert table.error[table.method == "noisy"].eq("").all()


def test_a_plain_tensor_is_an_image(run_here: Runner, plugin: Callable[[str], None], tmp_path: Path) -> None:
    plugin(BROKEN_METHOD.format(batch=1, threshold=-1e9, action="return observation.y"))
    assert run_here("--methods", "noisy,broken") == 0
    wide = values(tmp_path / "run").pivot_table(index="image", columns="method", values="psnr")
    assert wide["broken"].equals(wide["noisy"])


def test_gray_images_cannot_be_colorized(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(folder / "flat.png")
    assert "image 'flat' of" in fails(capsys, "--task", "colorize", "--dataset", str(folder), "--strict")
    assert "images of set12 are grayscale" in fails(capsys, "--task", "colorize", "--dataset", "set12")


@pytest.mark.parametrize("task", ["denoise", "inpaint-center", "inpaint-random"])
def test_gray_images_and_tiny_images_run(run_here: Runner, folder: Path, tmp_path: Path, task: str) -> None:
    for path in folder.glob("*.png"):
        path.unlink()
    random = np.random.RandomState(0)
    Image.fromarray(random.randint(0, 256, (16, 17), np.uint8)).save(folder / "tiny.png")
    chosen = QUICK if task == "denoise" else "ring-mean,harmonic"
    assert run_here("--methods", chosen, task=task) == 0
    assert values(tmp_path / "run").psnr.notna().all()


def test_an_unwritable_out_is_said(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, run_here: Runner
) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    argv = ["--task", "denoise", "--dataset", str(folder), "--methods", "noisy", "--out"]
    assert "cannot write" in fails(capsys, *argv, str(blocker / "run"))
    run_here("--methods", "noisy")
    records = tmp_path / "run" / "records.csv"
    lines = records.read_text().splitlines()
    records.write_text("\n".join([*lines[:2], "garbage", *lines[2:]]) + "\n")
    assert "line 3 is damaged" in fails(capsys, *argv, str(tmp_path / "run"))
    assert "garbage" in records.read_text()


def test_two_runs_do_not_write_into_one_folder(
    run_here: Runner, tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    run_here("--methods", "noisy")
    lock = str(tmp_path / "run" / ".lock")
    hold = f"from filelock import FileLock; lock = FileLock({lock!r}); lock.acquire(); print(1, flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", hold], text=True, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        argv = ["--task", "denoise", "--dataset", str(folder), "--methods", "noisy", "--out", str(tmp_path / "run")]
        assert "another run is writing" in fails(capsys, *argv)
        other.stdin.close()
    assert run_here("--methods", "noisy") == 0, "the lock goes with its holder"


def test_help_and_the_lists() -> None:
    for command, word in [
        (["benchmarks.run", "--help"], "--protocol"),
        (["datasets", "list"], "photos"),  # `methods list` is in test_main.py
        (["benchmarks"], "regenerate"),
        (["benchmarks", "run", "--help"], "--protocol"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ
        )
        assert word in done.stdout


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ("nlm[serch=15]", "search"),
        ("nlm[search=wide]", "whole number"),
        ("nlm[search=15", "bracket is not closed"),
        ("a=nlm,a=tv", "alias 'a' is used twice"),
        ("a=nlm,nlm[own=0.5],a=tv", "used twice"),
        ("tv=nlm,tv", "same label 'tv'"),
        ("nlm,nlm", "same label 'nlm'"),
        ("clean=nlm", "cannot be called 'clean'"),
        ("noisy[sigma=true]", "reads no σ"),
        ("nlm[sigma=loud]", "true, hidden, or a number"),
        ("mgan", "generator"),
        ("nlm]", "closing bracket"),
        ("=nlm", "alias=name"),
    ],
)
def test_wrong_specs_are_one_line(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, methods: str, said: str
) -> None:
    argv = ["--task", "denoise", "--dataset", str(folder), "--out", str(tmp_path / "x"), "--methods", methods]
    assert said in fails(capsys, *argv)
