"""Processes: killed workers, killed runs, other executors."""

from __future__ import annotations

import multiprocessing.forkserver
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.executors.local import local_processes, start_server
from benchmarks.folder.provenance import ROOT
from benchmarks.folder.records import TIMINGS, RecordFile
from benchmarks.queue import execute
from benchmarks.rows import Row
from benchmarks.scores.protocol import get_protocol
from benchmarks.trial import Bench, Trial
from datasets.dataset import Entry, get_dataset
from datasets.task import get_task

SLOW_METHOD = """
import time
from dataclasses import dataclass
from typing import ClassVar
from bigprior.fusion import Restoration
from datasets.task import DENOISING
from methods.base import Method

@dataclass(frozen=True)
class {title}(Method):
    name: ClassVar[str] = "{name}"
    summary: ClassVar[str] = "takes its time"
    citation: ClassVar[str] = "none: made for a test, 2026"
    problems = (DENOISING,)
    decoupled: ClassVar[bool] = False
    batch_size: ClassVar[int] = {batch}

    def restore(self, observation):
        time.sleep(0.05)
        {action}
        return Restoration(observation.y * {factor})
"""


def bench(folder: Path, out: Path) -> Bench:
    measures = get_protocol("standard").measures("psnr,ssim")
    return Bench(get_task("denoise"), get_dataset(str(folder)).label, 0, measures, "cpu", out)


def images(folder: Path) -> list[Entry]:
    return get_dataset(str(folder)).entries()


def write_plugins(folder: Path, action: str = "pass") -> None:
    folder.mkdir()
    for number in range(4):
        source = SLOW_METHOD.format(
            title=f"Slow{number}", name=f"slow-{number}", batch=1 + number % 2, factor=1 - number / 10, action=action
        )
        (folder / f"slow{number}.py").write_text(source)


def test_any_executor_gives_the_same_numbers(folder: Path, tmp_path: Path) -> None:
    trials = [Trial(Row.parse("bilateral"), (entry,)) for entry in images(folder)]

    def numbers(make: object, jobs: int) -> list[tuple[str, float | None, float | None]]:
        outcomes = execute(bench(folder, tmp_path), trials, jobs, make)  # type: ignore[arg-type]
        return sorted((r.image, r.values["psnr"], r.values["ssim"]) for outcome in outcomes for r in outcome.records)

    threads = numbers(ThreadPoolExecutor, 3)
    assert len(threads) == 3
    assert threads == numbers(local_processes, 1) == numbers(local_processes, 2)


def test_a_dying_worker_is_an_error_record(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that kills its process on every image: its records are errors, all other records are made."""
    write_plugins(tmp_path / "plugins")
    deadly = SLOW_METHOD.format(
        title="Deadly", name="deadly", batch=1, factor=1, action="__import__('os').kill(__import__('os').getpid(), 9)"
    )
    (tmp_path / "plugins" / "deadly.py").write_text(deadly)
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path / "plugins"))
    rows = [Row.parse(name) for name in ("slow-0", "deadly", "slow-2")]
    trials = [Trial(row, (entry,)) for entry in images(folder) for row in rows]
    records = [r for outcome in execute(bench(folder, tmp_path), trials, 2) for r in outcome.records]
    assert sorted((r.image, r.method) for r in records) == sorted((t.images[0], t.row.label) for t in trials)
    assert {r.method for r in records if r.error} == {"deadly"}
    assert all("worker process died" in r.error for r in records if r.method == "deadly")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(EOFError("unexpected EOF"), id="end"),
        pytest.param(ConnectionResetError(), id="reset", marks=pytest.mark.slow),
    ],
)
def test_a_server_that_dies_as_it_starts_a_process_breaks_the_pool_and_no_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The server of the processes is killed: whether it is seen at once or amid a start, every record is made."""
    trials = [Trial(Row.parse("noisy"), (entry,)) for entry in images(folder)]
    start, failures = ForkServerProcess.start, iter([error])

    def starting(process: ForkServerProcess) -> None:
        failure = next(failures, None)
        if failure is not None:
            os.kill(multiprocessing.forkserver._forkserver._forkserver_pid, 9)  # type: ignore[attr-defined]
            raise failure
        start(process)

    start_server()
    monkeypatch.setattr(ForkServerProcess, "start", starting)
    records = [r for outcome in execute(bench(folder, tmp_path), trials, 1) for r in outcome.records]
    assert sorted(r.image for r in records) == sorted(trial.images[0] for trial in trials)
    assert not any(r.error for r in records)


def test_what_cannot_travel_is_an_error_record(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that holds something that no other process can be given: said, and the others go on."""
    (tmp_path / "plugins").mkdir()
    source = SLOW_METHOD.format(title="Bound", name="bound", batch=1, factor=1, action="pass")
    source = source.replace("def restore", "held: object = lambda: 0\n\n    def restore")
    (tmp_path / "plugins" / "bound.py").write_text(source)
    monkeypatch.setenv("RESTORATION_PLUGINS", str(tmp_path / "plugins"))
    trials = [Trial(Row.parse(name), tuple(images(folder)[:1])) for name in ("bound", "noisy")]
    records = {r.method: r for outcome in execute(bench(folder, tmp_path), trials, 1) for r in outcome.records}
    assert "ickl" in records["bound"].error
    assert not records["noisy"].error


def _values(out: Path) -> pd.DataFrame:
    return RecordFile(out / "records.csv").load().frame().drop(columns=list(TIMINGS))


def _command(folder: Path, out: Path, jobs: int) -> list[str]:
    methods = "slow-0,slow-1,slow-2,slow-3,bilateral"
    argv = ["--task", "denoise", "--sigma", "5:50", "--dataset", str(folder), "--methods", methods]
    return [sys.executable, "-m", "benchmarks.run", *argv, "--out", str(out), "--jobs", str(jobs)]


@pytest.mark.slow
def test_ten_kills_change_nothing(folder: Path, tmp_path: Path) -> None:
    """A run killed ten times at random moments, then finished, equals an undisturbed one: none twice, none missing."""
    write_plugins(tmp_path / "plugins")
    for number in range(3, 8):
        (folder / f"crop{number}.png").write_bytes((folder / f"crop{number % 3}.png").read_bytes())
    environment = os.environ | {"RESTORATION_PLUGINS": str(tmp_path / "plugins")}
    quiet = {"cwd": ROOT, "env": environment, "stdout": subprocess.DEVNULL}
    subprocess.run(_command(folder, tmp_path / "undisturbed", 1), check=True, **quiet)  # type: ignore[call-overload]

    out = tmp_path / "disturbed"
    records = out / "records.csv"
    chance = random.Random(0)
    killed_amid = 0
    for _ in range(10):
        size = records.stat().st_size if records.exists() else 0
        with subprocess.Popen(_command(folder, out, 2), start_new_session=True, **quiet) as process:  # type: ignore[call-overload]
            # Wait until it writes, then a random moment: kills fall amid the work and not only amid the start.
            while process.poll() is None and (not records.exists() or records.stat().st_size == size):
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.12))
            if process.poll() is None:
                killed_amid += 1
                process.send_signal(signal.SIGKILL)
    assert killed_amid >= 5, "the work was too short for the kills to fall into it"
    subprocess.run(_command(folder, out, 2), check=True, **quiet)  # type: ignore[call-overload]
    pd.testing.assert_frame_equal(_values(out), _values(tmp_path / "undisturbed"), check_exact=True)
    keys = pd.read_csv(records)[["image", "method"]]
    assert not keys.duplicated().any()


@pytest.mark.slow
def test_interrupt_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    write_plugins(tmp_path / "plugins", action="time.sleep(3)")
    environment = os.environ | {"RESTORATION_PLUGINS": str(tmp_path / "plugins")}
    out = tmp_path / "run"
    with subprocess.Popen(
        _command(folder, out, 2),
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        while not (out / "records.csv").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=8)
        except subprocess.TimeoutExpired:
            # Python drops an interrupt that arrives in a destructor: a user would press the keys again.
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "to resume" in said
    assert "Traceback" not in said
    assert len(_values(out)) >= 1
