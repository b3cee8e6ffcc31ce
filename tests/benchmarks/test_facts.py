"""run.json is read once, by one reader, which trusts nothing: a results folder may come from a stranger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.folder.facts import Counts, Facts, RowFacts, read_facts
from benchmarks.folder.pictures import Pictures, file_name
from benchmarks.folder.run_folder import RunFolder
from benchmarks.scores.protocol import get_protocol
from benchmarks.setting import Setting
from datasets.errors import SuiteError
from datasets.task import get_task


def facts() -> Facts:
    protocol = get_protocol("paper")
    return Facts(
        setting=Setting(get_task("denoise", sigma="5:50"), "photos", "test", 3, protocol, "cpu"),
        measures=protocol.measures("psnr,ssim,y=psnr[channel=y,crop=4]"),
        rows={"a": RowFacts("nlm[patch=5]", "0123", True, {"psnr": "4567"}), "tv": RowFacts("tv", "89ab")},
        images={"cat": "00" * 32},
        counts=Counts(1, 2, 2, 0),
        not_run={"mgan": "no weights"},
    )


def test_facts_read_back_as_they_were(tmp_path: Path) -> None:
    facts().write(tmp_path / "run.json")
    assert read_facts(tmp_path / "run.json") == facts()
    assert json.loads((tmp_path / "run.json").read_text())["metrics"]["y"] == "y=psnr[channel=y,crop=4]"


def test_settings_that_differ_say_where() -> None:
    one = facts().setting
    other = Setting(get_task("denoise", sigma="25"), one.dataset, one.split, one.seed, one.protocol, one.device)
    assert one.difference(one) is None
    assert "sigma=25" in str(other.difference(one))
    assert "sigma=5:50" in str(other.difference(one))


def refusal(path: Path) -> str | None:
    """What is said of a file that is not read, or None; no other exception may leave the reader."""
    try:
        read_facts(path)
    except SuiteError as error:
        return str(error)
    return None


def _without(name: str) -> Any:
    return lambda values: values.pop(name)


def _with(name: str, value: object) -> Any:
    return lambda values: values.__setitem__(name, value)


@pytest.mark.parametrize("name", sorted(facts().to_json()))
@pytest.mark.parametrize("wrong", [None, 7.5, [1], {"a": 1}], ids=repr)
def test_every_fact_is_checked(tmp_path: Path, name: str, wrong: object) -> None:
    """Missing, or of another type: one line that names the file, and never another exception."""
    for change in (_without(name), _with(name, wrong)):
        values = facts().to_json()
        change(values)
        (tmp_path / "run.json").write_text(json.dumps(values))
        said = refusal(tmp_path / "run.json")
        if said is None:
            assert values[name] == wrong, "a missing fact was accepted"
            assert isinstance(facts().to_json()[name], type(wrong)), "a wrong type was accepted"
        else:
            assert "run.json" in said
            assert "\n" not in said


@pytest.mark.parametrize("text", ["", "null", "3", "[]", "{", "[" * 100_000, '{"version": 1}', "\ud800"], ids=repr)
def test_garbage_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(SuiteError, match=r"run\.json.*(--fresh|no run)"):
        read_facts(tmp_path / "run.json")


def test_what_is_unknown_here_is_named(tmp_path: Path) -> None:
    for name, value, said in [
        ("task", "deblurr", "unknown task"),
        ("parameters", {"sigma": "300"}, "out of range"),
        ("parameters", {"level": "3"}, "parameter of task"),
        ("protocol", "house", "unknown protocol"),
        ("metrics", {"mine": "mine"}, "unknown metric"),
        ("signatures", {"psnr": "psnr|gray"}, "this suite computes"),
    ]:
        (tmp_path / "run.json").write_text(json.dumps(facts().to_json() | {name: value}))
        with pytest.raises(SuiteError, match=said):
            read_facts(tmp_path / "run.json")


@pytest.mark.parametrize("image", ["../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "a\0b", "a\nb"])
def test_a_strangers_names_never_leave_the_folder(tmp_path: Path, image: str) -> None:
    pictures = Pictures(tmp_path)
    for look in (lambda: pictures.find(image, "clean.png"), lambda: pictures.read_reliance("tv", image)):
        with pytest.raises(SuiteError, match="cannot be the name of an image"):
            look()


@pytest.mark.parametrize("row", ["../../x", "/etc/x", "a\0b", ".hidden", "nlm[patch=5]", "c[file=/a/b.pth]", "x" * 500])
def test_a_rows_files_are_in_the_folder(tmp_path: Path, row: str) -> None:
    name = file_name(row)
    assert (tmp_path / f"{name}.npz").parent == tmp_path
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) < 200
    assert file_name("nlm[patch=5]") == "nlm[patch=5]"
    assert file_name("x" * 500) != file_name("x" * 499)


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"has no run\.json"):
        RunFolder(tmp_path).facts  # noqa: B018
