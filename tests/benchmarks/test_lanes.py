"""Rows of the CPU and of a GPU side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.executors.lanes import Crew, Lane, LocalEngine, devices_of, engine, workers_for
from benchmarks.folder.provenance import cores
from benchmarks.folder.records import HOST, Record, RecordFile, columns
from benchmarks.queue import carry_out
from benchmarks.rows import Row
from benchmarks.tables.notes import _on_hosts
from benchmarks.trial import Bench, Outcome, Trial
from datasets.errors import SuiteError
from tests.benchmarks.test_queue import bench, images

GPU = "meta"
"""Stands for a GPU: torch knows it everywhere."""


@pytest.fixture
def trials(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Trial]]:
    """Every image by a row that computes on the GPU and by one that does not."""
    rows = [Row.parse("noisy"), Row.parse("bilateral")]
    monkeypatch.setattr(type(rows[0].method), "devices", ("cpu", GPU))
    return [Trial(row, (entry,)) for entry in images(folder) for row in rows]


def test_a_gpu_has_one_process_and_the_cpu_the_cores_that_are_left(
    trials: list[Trial], folder: Path, tmp_path: Path
) -> None:
    assert devices_of(trials, f"{GPU}:1") == [f"{GPU}:1", "cpu"]
    assert devices_of(trials, "cpu") == ["cpu"]
    assert workers_for([GPU, "cpu"], None) == {GPU: 1, "cpu": max(1, cores() - 1)}
    assert workers_for(["cpu"], None) == {"cpu": cores()}
    assert workers_for([GPU], 3) == {GPU: 1}
    with LocalEngine().crew(replace(bench(folder, tmp_path), device=GPU), trials, 3) as crew:
        assert [(lane.device, lane.workers) for lane in crew.lanes] == [(GPU, 1), ("cpu", 3)]


def test_rows_of_the_cpu_go_on_while_the_gpu_is_busy(
    trials: list[Trial], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU's first trial does not end before all of the CPU's have."""
    free = threading.Event()
    seen: list[tuple[str, str]] = []

    def carry(given: Bench, trial: Trial) -> Outcome:
        assert given.device == "cpu" or free.wait(20)
        seen.append((trial.row.label, given.device))
        if seen.count(("bilateral", "cpu")) == 3:
            free.set()
        return Outcome(trial.row.label, trial.images, ())

    monkeypatch.setattr("benchmarks.queue.run_trial", carry)
    crew = Crew((Lane(GPU, 1, ThreadPoolExecutor), Lane("cpu", 1, ThreadPoolExecutor)))
    assert len(list(carry_out(crew, replace(bench(folder, tmp_path), device=GPU), trials))) == 6
    assert seen == [("bilateral", "cpu")] * 3 + [("noisy", GPU)] * 3


def test_options_of_a_cluster_need_its_engine() -> None:
    for options in ({"scheduler": "tcp://127.0.0.1:8786"}, {"wait": 3.0}):
        with pytest.raises(SuiteError, match="add --engine dask"):
            engine("local", **options)  # type: ignore[arg-type]


def timed(image: str, host: str, seconds: float | None = 1.0) -> Record:
    return Record("denoise", "photos", image, "tv", {"psnr": 30.0}, seconds=seconds, peak_mb=2.0, host=host)


def test_times_of_hosts_are_never_mixed(tmp_path: Path) -> None:
    """A file has the column only with a cluster's records, is read back, and its table has the times of one host."""
    file = RecordFile(tmp_path / "records.csv", ("psnr",))
    file.append([timed("a", "", 9.0)])
    assert list(pd.read_csv(file.path)) == columns(("psnr",))
    assert file.hosts() == {}
    file.append([timed("b", "node1"), timed("c", "node1", 3.0), timed("d", "=node2", 5.0)])
    assert list(pd.read_csv(file.path)) == [*columns(("psnr",)), HOST]
    again = RecordFile(file.path).load()
    assert again.records == file.records
    assert again.hosts() == {"node1": 2, "": 1, "=node2": 1}
    table = again.frame().set_index("image")
    assert table.seconds.dropna().to_dict() == {"b": 1.0, "c": 3.0}
    assert table.peak_mb.notna().sum() == 2
    assert table.psnr.notna().all()
    assert _on_hosts("node1 (2 results)") == []
    assert "of node1 (2) alone, and not of node2 (1), x (1)." in _on_hosts("node1 (2), node2 (1), x (1)")[0]
