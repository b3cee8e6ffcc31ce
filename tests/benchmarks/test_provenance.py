"""What a run says of the code that made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.folder import provenance


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True).stdout


def test_a_commit_is_dirty_if_code_differs_and_not_if_results_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.commit().startswith("version ")
    git(tmp_path, "init", "-q")
    (tmp_path / "results").mkdir()
    for name in ("code.py", "README.md", "results/records.csv"):
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "README.md").write_text("2")
    (tmp_path / "results/records.csv").write_text("2")
    (tmp_path / "untracked.py").write_text("2")
    assert provenance.commit() == head
    (tmp_path / "code.py").write_text("2")
    assert provenance.commit() == f"{head}-dirty"
