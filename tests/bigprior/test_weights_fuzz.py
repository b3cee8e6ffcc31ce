"""Nothing but a `SuiteError` comes out of a reader of weights, whatever is in the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("first", "count"), [(0, 10), pytest.param(10, 1000, marks=pytest.mark.slow)])
def test_spoiled_files_are_one_line(tmp_path: Path, first: int, count: int) -> None:
    """In a process of its own, with a limit of memory: a crash names its seed, which repeats the file."""
    command = [sys.executable, "-m", "tests.bigprior.fuzzed_weights", str(tmp_path), str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("seed ")]
    assert done.returncode == 0, "\n".join([*(wrong or lines[-1:]), done.stderr[-2000:]])
    assert len(lines) == count
