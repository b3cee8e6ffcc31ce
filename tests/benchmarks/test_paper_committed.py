"""The committed tables follow from what is stored, with and without the authors' release on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.folder.provenance import ROOT
from benchmarks.paper import cells
from benchmarks.paper.__main__ import parser
from benchmarks.paper.cells import GOOD, RECOMPUTED, UNAVAILABLE
from benchmarks.paper.command import PROVENANCE, gather
from benchmarks.paper.experiments import EXPERIMENTS, TABLES
from benchmarks.paper.places import COMMITTED, Places
from benchmarks.paper.released import Release


@pytest.fixture(scope="module")
def committed() -> cells.Sources:
    """All that is stored in the clone."""
    return gather(Places(COMMITTED, COMMITTED))


@pytest.mark.slow  # ten seconds of bootstrap
@pytest.mark.parametrize("table", TABLES)
def test_committed_tables_follow_from_what_is_stored(table: str, committed: cells.Sources) -> None:
    parts = {"": cells.paper_cells, "-suite": cells.suite_cells, "-draws": cells.draw_cells}
    for part, make in parts.items():
        path, made = COMMITTED / f"table-{table}{part}.csv", make(committed, table).reset_index(drop=True)
        assert path.exists() != made.empty
        if not made.empty:
            written = pd.read_csv(path)
            keys = [name for name in ("dataset", "method", "metric", "row", "origin") if name in written]
            pd.testing.assert_frame_equal(written[keys], made[keys], check_dtype=False)
            np.testing.assert_allclose(written.value, made.value.astype(float), rtol=1e-5)
    said, text = json.loads((COMMITTED / PROVENANCE).read_text()), (COMMITTED / f"table-{table}.md").read_text()
    assert said["commit"] in text
    assert said["command"] in text


def without_the_release(monkeypatch: pytest.MonkeyPatch) -> Release:
    """What is read where the release itself is not on the machine."""
    monkeypatch.setattr("benchmarks.paper.released._released", lambda *_: None)
    return Release.read(COMMITTED)


def test_the_kept_arrays_give_the_published_cells(committed: cells.Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = replace(committed, release=without_the_release(monkeypatch))
    counts = []
    for table in TABLES:
        paper = cells.paper_cells(sources, table)
        mine = paper[(paper.origin == RECOMPUTED) & (paper.verdict != UNAVAILABLE)]
        assert set(mine.verdict) == {GOOD[RECOMPUTED]}
        counts.append(len(mine))
    assert counts == [4, 2, 6, 6], "both methods, in every experiment"
    auc, psnr = (sources.release.scores(EXPERIMENTS[0], *key) for key in (("bigprior", "auc"), ("mgan-prior", "psnr")))
    assert auc is not None
    assert psnr is not None
    assert auc.mean() == pytest.approx(89.2772, abs=1e-4)
    assert psnr.mean() == pytest.approx(22.2908, abs=1e-4)


@pytest.mark.realdata
def test_the_kept_arrays_are_the_released_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = Release.read(tmp_path)
    kept = without_the_release(monkeypatch)
    assert released.arrays.keys() == kept.arrays.keys()
    for key, values in released.arrays.items():
        np.testing.assert_array_equal(values, kept.arrays[key])


def test_the_command_line_knows_the_tables() -> None:
    assert parser().parse_args(["--table", "IV", "--verify"]).table == "IV"
    with pytest.raises(SystemExit):
        parser().parse_args(["--table", "V"])


@pytest.mark.parametrize("module", ["paper", "paper.shift", "paper.reliance", "reliance", "timing"])
def test_a_command_line_is_read_before_anything_heavy_is_loaded(module: str) -> None:
    heavy = "torch", "pandas", "matplotlib", "scipy"
    code = (
        f"import runpy, sys\nsys.argv = ['x', '--help']\ntry:\n    runpy.run_module('benchmarks.{module}', "
        f"run_name='__main__')\nexcept SystemExit:\n    print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"usage: python -m benchmarks.{module}" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
