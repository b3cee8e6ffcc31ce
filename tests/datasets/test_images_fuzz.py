"""`read_image` on damaged files: nothing but a `SuiteError`, soon, and in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets import fuzz

ROOT = Path(__file__).parents[2]


def check(folder: Path, first: int, last: int) -> None:
    """Read the files of these seeds in one process with a limit of memory, so that a crash is seen."""
    command = [sys.executable, "-m", "tests.datasets.fuzz", str(first), str(last), str(folder)]
    with (folder / "log").open("w") as log, (folder / "noise").open("w") as noise:
        status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=noise, timeout=1200).returncode
    lines = (folder / "log").read_text().splitlines()
    said = (folder / "noise").read_text()
    assert status == 0, f"status {status} at seed {lines[-1:]}: {said[-2000:]}"
    assert [line for line in lines if line.split(" ", 1)[1]] == []
    assert len(lines) == last - first
    assert "Warning" not in said  # libtiff in Pillow says a line of its own, which cannot be silenced


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of memory")
def test_60_damaged_files(tmp_path: Path) -> None:
    check(tmp_path, 0, 60)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of memory")
def test_2000_damaged_files(tmp_path: Path) -> None:
    check(tmp_path, 60, 2060)


def test_the_undamaged_files_are_read_or_refused(tmp_path: Path) -> None:
    for number, (ending, data) in enumerate(fuzz.originals()):
        (tmp_path / f"{number}.{ending}").write_bytes(data)
    wrong = [path for path in tmp_path.iterdir() if fuzz.read(path)]
    assert wrong == []
