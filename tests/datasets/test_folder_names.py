"""Names of a user's files: kept to the last character, or refused; and what is not taken is counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from datasets.__main__ import main
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.sets.folder import LONGEST_NAME, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    save(made / "z.png")
    return made


def save(path: Path) -> None:
    Image.new("L", (20, 20)).save(path, format="PNG")


@pytest.mark.parametrize(
    "name",
    [
        "Shot at 9.41.02\u202fAM",
        "a\u00a0b",
        "a  b",
        " leading",
        "trailing ",
        "ü",
        "u\u0308",
        'a,b;"c"\'',
        "[x=1]",
        "=1+1",
        "a.b",
    ],
)
def test_a_name_survives_as_it_is(folder: Path, name: str) -> None:
    save(folder / f"{name}.png")
    assert {entry.name for entry in get_dataset(str(folder)).entries()} == {name, "z"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a\nb.png", "a line end"),
        ("a\rb.png", "a line end"),
        ("a\tb.png", "control character"),
        ("a\x1b[2Jb.png", "control character"),
        ("a\u2028b.png", "a line end"),
        ("a\x85b.png", "control character"),
        (os.fsdecode(b"a\xffb.png"), "not UTF-8"),
        ("ü" * 90 + ".png", "184 bytes, the most is 180"),
    ],
)
def test_a_name_that_records_cannot_keep_is_refused(folder: Path, name: str, reason: str) -> None:
    save(folder / name)
    with pytest.raises(SuiteError) as caught:
        get_dataset(str(folder))
    text = str(caught.value)
    assert repr(name) in text
    assert reason in text
    assert "rename it" in text
    assert text.isprintable()


def test_the_longest_name_is_taken(folder: Path) -> None:
    name = "a" * (LONGEST_NAME - len(".png"))
    save(folder / f"{name}.png")
    assert get_dataset(str(folder)).entries()[0].name == name


def test_the_name_of_the_folder_is_in_the_records_too(tmp_path: Path) -> None:
    (tmp_path / "my\npictures").mkdir()
    save(tmp_path / "my\npictures" / "a.png")
    with pytest.raises(SuiteError, match=r"folder 'my\\npictures' .*line end.*rename it"):
        Folder(tmp_path / "my\npictures")


def test_what_is_left_out_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Folder(folder).left_out == ""
    assert main(["verify", str(folder)]) == 0
    assert "left out" not in capsys.readouterr().out

    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "inner").mkdir()
    for name in ("a.gif", "b.pgm", "c.txt", "d.heic", ".DS_Store", "._z.png"):
        (folder / name).write_bytes(b"x")
    expected = "1 dangling link (gone.png), 1 folder (inner), 2 hidden files, 4 other files (a.gif, b.pgm, c.txt, …)"
    assert Folder(folder).left_out == expected
    assert [entry.name for entry in Folder(folder).entries()] == ["z"]
    assert main(["verify", str(folder)]) == 0
    assert f"left out: {expected}\n" in capsys.readouterr().out


def test_a_folder_with_nothing_but_other_files_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"x")
    (tmp_path / "b\x1b.gif").write_bytes(b"x")
    with pytest.raises(SuiteError, match=r"there \(it has 2 other files \(a\.gif, 'b\\x1b\.gif'\)\)\."):
        Folder(tmp_path)
