"""A new method is one new file: it is listed, run and held to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.environment import ROOT
from benchmarks.records import RecordFile
from datasets.errors import SuiteError
from methods.registry import get_method, methods
from tests.benchmarks.conftest import Runner

BOX = '''
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.functional import avg_pool2d, pad

from bigprior.fusion import Restoration
from datasets.observation import Observation
from methods.base import Method, noise_level


@dataclass(frozen=True)
class Box(Method):
    """The 3×3 box filter: φ = 8/9 and g the mean of the eight neighbours, mirrored at the borders; φ = 0 at σ = 0."""

    name: ClassVar[str] = "box-of-nine"
    summary: ClassVar[str] = "mean of 3×3 pixels"
    citation: ClassVar[str] = "made for a test, no source"
    tasks: ClassVar[tuple[str, ...]] = ("denoise",)
    decoupled: ClassVar[bool] = True
    uses_sigma: ClassVar[bool] = True

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        neighbours = (9 * avg_pool2d(pad(y, (1, 1, 1, 1), mode="reflect"), 3, 1) - y) / 8
        phi = torch.where(noise_level(observation) > 0, 8 / 9, 0.0).to(y)[:, None, None, None]
        return Restoration.fused(y, neighbours, phi.expand_as(y))
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one new method in it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "box.py").write_text(BOX)
    monkeypatch.setenv("RESTORATION_PLUGINS", str(folder))
    return folder


def _python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed(added: Path) -> None:
    assert "box-of-nine" in _python("-m", "methods", "list")
    assert "box-of-nine" not in _python("-m", "methods", "list", "--task", "colorize")


def test_it_is_run_by_worker_processes(added: Path, folder: Path, tmp_path: Path) -> None:
    argv = ["--task", "denoise", "--methods", "noisy,box-of-nine", "--dataset", str(folder), "--out"]
    _python("-m", "benchmarks.run", *argv, str(tmp_path / "out"))
    records = RecordFile(tmp_path / "out" / "records.csv").load().records
    assert len([r for r in records.values() if r.method == "box-of-nine" and not r.error and r.psnr]) == 3


def test_all_includes_it(added: Path, run_here: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods.cache_clear()
    try:
        # The slow ones are left out of this test; what is asked is whether `all` finds the new file.
        few = {name: kind for name, kind in methods().items() if name in ("noisy", "tikhonov", "box-of-nine")}
        monkeypatch.setattr("benchmarks.rows.methods", lambda: few)
        run_here("--methods", "all")
        assert {key[1] for key in RecordFile(tmp_path / "run" / "records.csv").load().records} == set(few)
    finally:
        methods.cache_clear()


def test_it_is_held_to_the_contract(added: Path) -> None:
    said = _python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/methods/test_contract.py", "-k", "box-of-nine"
    )
    assert int(said.split(" passed")[0].split()[-1]) >= 15


def test_it_is_gone_without_its_folder() -> None:
    with pytest.raises(SuiteError, match=r"unknown method 'box-of-nine'.*Valid:.*bm3d"):
        get_method("box-of-nine")
