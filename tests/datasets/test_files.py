"""Paths in a home folder, and files that are whole or not there."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

import pytest

from datasets.__main__ import main
from datasets.errors import SuiteError
from datasets.fetch import CACHE, cache_folder
from datasets.files import expanded, sweep, write_atomically


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user without HOME and without an entry in the system's list of users, as containers have them."""

    def unknown(_: object) -> None:
        raise KeyError("no such user")

    for name in ("HOME", "XDG_CACHE_HOME", "USER", "LOGNAME", CACHE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_path_at_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a") == tmp_path / "a"
    assert expanded("a/~b") == Path("a/~b")


@pytest.mark.parametrize("path", ["~/a", "~no-such-user/a"])
@pytest.mark.usefixtures("homeless")
def test_a_home_that_is_not_known_is_said(path: str) -> None:
    with pytest.raises(SuiteError, match=r"does not know that home folder: write the path in full"):
        expanded(path)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_has_a_cache(capsys: pytest.CaptureFixture[str]) -> None:
    assert cache_folder().is_absolute()
    assert main(["list"]) == 0
    assert "photos" in capsys.readouterr().out


def test_a_file_being_written_has_a_name_of_its_own_that_says_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines may share a disk."""
    monkeypatch.setattr(socket, "gethostname", lambda: "node-7.lab")
    names: list[str] = []
    monkeypatch.setattr(os, "replace", lambda source, _: names.append(Path(source).name))
    for _ in range(2):
        write_atomically(tmp_path / "a", b"x")
    assert all(name.startswith(".node-7-lab-") for name in names)
    assert len(set(names)) == 2
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())
