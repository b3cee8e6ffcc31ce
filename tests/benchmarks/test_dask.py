"""Clusters: the same records as on this machine, workers and schedulers that die, and workers that are not alike."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.executors import cluster, worker
from benchmarks.executors import dask as engine
from benchmarks.executors.lanes import devices_of
from benchmarks.executors.local import THREAD_VARIABLES
from benchmarks.folder.provenance import ROOT
from benchmarks.folder.records import TIMINGS, RecordFile
from benchmarks.queue import carry_out
from benchmarks.rows import Row
from benchmarks.run import parser
from benchmarks.session import requests, run
from benchmarks.trial import Trial
from datasets.errors import SuiteError
from tests.benchmarks.test_queue import SLOW_METHOD, bench, images, write_plugins

distributed = pytest.importorskip("distributed")
QUICK = "noisy,bilateral,local-wiener"
Go = Callable[..., int]


@pytest.fixture(autouse=True)
def no_dead_client() -> None:
    """Collect clients that could not connect: collected amid the start of a loop, they wait for its lock for ever."""
    gc.collect()


@pytest.fixture
def go(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Go:
    """Run in this process, with the workers that are asked for."""
    monkeypatch.setattr("benchmarks.tables.figures.draw_all", lambda *_: [])
    monkeypatch.setattr("benchmarks.scores.metrics.lpips.LPIPS.unavailable", lambda _: "left out of this test")
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "1")

    def run_it(out: str, *extra: str, methods: str = QUICK) -> int:
        argv = ["--task", "denoise", "--dataset", str(folder), "--methods", methods, "--out", str(tmp_path / out)]
        return max(run(request) for request in requests(parser().parse_args([*argv, "--device", "cpu", *extra])))

    return run_it


@contextmanager
def threads(**options: object) -> Iterator[str]:
    """The address of a cluster whose workers are threads of this process."""
    asked = {"n_workers": 2, "processes": False, "threads_per_worker": 1, "dashboard_address": None, **options}
    with distributed.LocalCluster(**asked) as made:
        yield made.scheduler_address


def records(out: Path) -> pd.DataFrame:
    return RecordFile(out / "records.csv").load().frame().drop(columns=list(TIMINGS))


def pictures(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.png")}


def test_a_cluster_gives_the_records_of_this_machine(go: Go, tmp_path: Path) -> None:
    assert go("here", "--jobs", "1") == 0
    with threads() as address:
        assert go("there", "--engine", "dask", "--scheduler", address) == 0
    pd.testing.assert_frame_equal(records(tmp_path / "there"), records(tmp_path / "here"), check_exact=True)
    assert pictures(tmp_path / "there") == pictures(tmp_path / "here") != {}
    assert set(pd.read_csv(tmp_path / "there" / "records.csv").host) == {worker.HOST}
    assert "host" not in pd.read_csv(tmp_path / "here" / "records.csv")
    assert not list((tmp_path / "there").glob(".*.partial"))


def test_pictures_come_back_where_no_disk_is_shared(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["--save-images", "--engine", "dask", "--scheduler"]
    with threads() as address:
        assert go("seen", *asked, address, methods="noisy,tv") == 0
        monkeypatch.setattr(worker, "_sees", lambda *_: False)
        monkeypatch.setattr(worker, "_place", lambda: type("Place", (), {"name": str(tmp_path / "scratch")}))
        assert go("unseen", *asked, address, methods="noisy,tv") == 0
    assert pictures(tmp_path / "unseen") == pictures(tmp_path / "seen") != {}
    saved = [{path.name for path in (tmp_path / name / "images").rglob("*.npz")} for name in ("seen", "unseen")]
    assert saved[0] == saved[1] == {"observation.npz", "noisy.npz", "tv.npz"}
    assert not list((tmp_path / "scratch").iterdir())  # nothing is left behind


def test_a_worker_that_is_not_alike_is_refused(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client believes to be of another commit: one line that names host and commit, and nothing is run."""
    with threads() as address:
        honest = worker.identity
        monkeypatch.setattr(cluster, "identity", lambda *given: honest(*given) | {"the commit": "f00"})
        with pytest.raises(SuiteError, match=r"is not as this machine: the commit is .* there, f00 here"):
            go("run", "--engine", "dask", "--scheduler", address)
    assert not (tmp_path / "run" / "records.csv").exists()
    said = worker.difference({"a": "1", "b": "2", "c": "3"}, {"a": "1", "c": "4"})
    assert said == "b is missing there, 2 here, and 1 more"


def test_a_worker_that_joins_later_is_compared_too(go: Go, folder: Path, tmp_path: Path) -> None:
    order = worker.Order(
        "a run",
        {},
        worker.pickle.dumps((bench(folder, tmp_path), Trial(Row.parse("noisy"), tuple(images(folder)[:1])))),
        {"the code": "other"},
    )
    with pytest.raises(SuiteError, match=r"the code is .* there, other here"):
        worker.work(order)


@pytest.mark.parametrize(
    ("options", "extra", "said"),
    [
        ({"threads_per_worker": 2}, [], "2 threads"),
        ({"n_workers": 0}, ["--wait", "0.1"], "no worker of the scheduler .* computes on cpu, after 0.1 s"),
        ({}, ["--wait", "0", "--device", "cuda"], 'computes on cpu.*--resources "CPU=1"'),
        ({}, ["--jobs", "2"], "--jobs is for this machine"),
        ({}, ["--device", "cuda:1"], "give cpu or cuda"),
    ],
)
def test_what_no_cluster_can_do_is_said_before_work(
    go: Go, options: dict[str, int], extra: list[str], said: str
) -> None:
    with threads(**{"n_workers": 1} | options) as address, pytest.raises(SuiteError, match=said):
        go("run", "--engine", "dask", "--scheduler", address, *extra)


def test_a_scheduler_that_does_not_answer(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CONNECT", 1)
    began = time.monotonic()
    with pytest.raises(SuiteError, match=r"scheduler tcp://127\.0\.0\.1:9 does not answer"):
        go("run", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:9")
    assert time.monotonic() - began < 5
    (tmp_path / "scheduler.json").write_text("{")
    with pytest.raises(SuiteError, match="does not answer"):
        go("run", "--engine", "dask", "--scheduler", str(tmp_path / "scheduler.json"))
    with pytest.raises(SuiteError, match="neither an address"):
        go("run", "--engine", "dask", "--scheduler", "nowhere")
    with pytest.raises(SuiteError, match="add --engine dask"):
        go("run", "--scheduler", "tcp://127.0.0.1:9")


def test_rows_of_the_cpu_do_not_wait_for_the_gpu(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each trial goes to a worker that offers its device, and is computed on that device."""
    monkeypatch.setitem(engine.RESOURCES, "meta", "META")
    monkeypatch.setattr(type(Row.parse("noisy").method), "devices", ("cpu", "meta"))
    rows = [Row.parse(name) for name in ("noisy", "bilateral")]
    trials = [Trial(row, (entry,)) for entry in images(folder) for row in rows]
    asked = worker.replace(bench(folder, tmp_path), device="meta", out=None)
    assert devices_of(trials, "meta") == ["meta", "cpu"]
    seen: list[tuple[str, str, object]] = []

    def note(given: worker.Bench, trial: Trial) -> worker.Outcome:
        seen.append((trial.row.label, given.device, distributed.get_worker().name))
        return worker.Outcome(trial.row.label, trial.images, ())

    monkeypatch.setattr(worker, "run_trial", note)
    spec = {
        name: {"cls": distributed.Worker, "options": {"nthreads": 1, "resources": {name: 1}}}
        for name in ("META", "CPU")
    }
    scheduler = {"cls": distributed.Scheduler, "options": {"dashboard": False, "port": 0}}
    names = [*THREAD_VARIABLES, *(f"image {entry.name}" for entry in images(folder))]
    for module in (cluster, worker):
        monkeypatch.setattr(module, "identity", lambda *_: dict.fromkeys(names, "1"))
    with (
        distributed.SpecCluster(workers=spec, scheduler=scheduler) as made,
        engine.DaskEngine(made.scheduler_address, 5).crew(asked, trials, None) as crew,
    ):
        assert [(lane.device, lane.width()) for lane in crew.lanes] == [("meta", 2), ("cpu", 2)]
        assert len(list(carry_out(crew, asked, trials))) == len(trials)
    assert set(seen) == {("noisy", "meta", "META"), ("bilateral", "cpu", "CPU")}
    # The scheduler has Dask's own setting, which repeats a trial that kills its worker.
    assert "killed its worker to 3 more" in capsys.readouterr().out


# What needs processes of its own is slow: each imports everything.


@contextmanager
def processes(folder: Path, workers: int, *options: str) -> Iterator[tuple[Path, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers started as a cluster would, by their commands; yield the scheduler's file."""
    file = folder / "scheduler.json"
    environment = os.environ | {
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    asked = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    started = [
        subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", *asked, "--port", "0"], **quiet)
    ]  # type: ignore[call-overload]
    asked += ["--nthreads", "1", "--nworkers", "1", *options]
    try:
        started += [
            subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_worker", *asked], **quiet)  # type: ignore[call-overload]
            for _ in range(workers)
        ]
        while not file.exists():
            time.sleep(0.05)
        yield file, started
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def command(folder: Path, out: Path, *extra: str, methods: str = "slow-0,slow-1,slow-2,slow-3") -> list[str]:
    argv = ["--task", "denoise", "--dataset", str(folder), "--methods", methods, "--metrics", "psnr,ssim"]
    return [sys.executable, "-m", "benchmarks.run", *argv, "--device", "cpu", "--out", str(out), *extra]


def asked_for(tmp_path: Path, action: str = "time.sleep(0.3)") -> dict[str, object]:
    write_plugins(tmp_path / "plugins", action)
    environment = os.environ | {"RESTORATION_PLUGINS": str(tmp_path / "plugins")}
    return {"cwd": ROOT, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}


def children(process: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not path.exists():
        time.sleep(0.02)


@pytest.mark.slow
def test_own_cluster_with_a_worker_that_is_killed(folder: Path, tmp_path: Path) -> None:
    """Without an address: the records of the local engine to the last bit, although a worker is killed amid work."""
    asked = asked_for(tmp_path)
    subprocess.run(command(folder, tmp_path / "here", "--jobs", "1"), check=True, **asked)  # type: ignore[call-overload]
    out = tmp_path / "there"
    with subprocess.Popen(command(folder, out, "--engine", "dask", "--jobs", "2"), **asked) as process:  # type: ignore[call-overload]
        wait_for(out / "records.csv", process)
        workers = [pid for child in children(process.pid) for pid in [child, *children(child)]]
        named = [pid for pid in workers if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(max(named), signal.SIGKILL)
        said = process.communicate(timeout=120)[1]
    assert (process.returncode, said) == (0, "")
    pd.testing.assert_frame_equal(records(out), records(tmp_path / "here"), check_exact=True)
    assert "host" not in pd.read_csv(out / "records.csv")


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_is_one_error(folder: Path, tmp_path: Path) -> None:
    asked = asked_for(tmp_path, "pass")
    source = SLOW_METHOD.format(
        title="Deadly", name="deadly", batch=1, factor=1, action="__import__('os').kill(__import__('os').getpid(), 9)"
    )
    (tmp_path / "plugins" / "deadly.py").write_text(source)
    with processes(tmp_path, 2) as (file, _):
        argv = command(
            folder, tmp_path / "run", "--engine", "dask", "--scheduler", str(file), methods="slow-0,deadly,slow-1"
        )
        done = subprocess.run(argv, timeout=150, **asked)  # type: ignore[call-overload]
    assert done.stderr == ""
    assert done.returncode == 1
    made = RecordFile(tmp_path / "run" / "records.csv").load().records
    assert len(made) == 9
    assert {method for (_, method), record in made.items() if record.error} == {"deadly"}
    assert all("died" in record.error for record in made.values() if record.error)


@pytest.mark.slow
def test_a_scheduler_that_is_killed(folder: Path, tmp_path: Path) -> None:
    """One line and status 2; what was finished is kept, and the same command goes on on another scheduler."""
    asked = asked_for(tmp_path)
    out = tmp_path / "run"
    with processes(tmp_path, 1) as (file, started):
        argv = command(folder, out, "--engine", "dask", "--scheduler", str(file))
        process = subprocess.Popen(argv, **asked)  # type: ignore[call-overload]
        wait_for(out / "records.csv", process)
        started[0].kill()
        said = process.communicate(timeout=40)[1]
    assert process.returncode == 2
    assert said.startswith("error: the scheduler")
    assert said.count("\n") == 1
    first = records(out)
    assert 0 < len(first) < 12
    file.unlink()
    with processes(tmp_path, 1) as (file, _):
        subprocess.run(command(folder, out, "--engine", "dask", "--scheduler", str(file)), check=True, **asked)  # type: ignore[call-overload]
    assert len(records(out)) == 12


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True])
def test_interrupt(folder: Path, tmp_path: Path, whole_group: bool) -> None:
    asked = asked_for(tmp_path, "time.sleep(2)")
    out = tmp_path / "run"
    argv = command(folder, out, "--engine", "dask", "--jobs", "2")
    with subprocess.Popen(argv, start_new_session=True, **asked) as process:  # type: ignore[call-overload]
        wait_for(out / "records.csv", process)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        said = process.communicate(timeout=40)[1]
    assert process.returncode == 130
    assert "to resume" in said
    assert said.count("\n") == 1
    assert len(records(out)) >= 1
