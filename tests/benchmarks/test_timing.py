"""The comparison of timings: what is slower is named on any machine, and nothing else is."""

from __future__ import annotations

import functools
import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.folder.provenance import ROOT
from benchmarks.timing import test_inversions, test_methods
from benchmarks.timing.__main__ import main
from benchmarks.timing.case import KINDS, MOST_ROUNDS, Device, relative_seconds, rounds_for, time_case
from benchmarks.timing.compare import FLOOR, load
from bigprior.priors.pggan import PGGAN
from datasets.catalog import TASKS
from datasets.errors import SuiteError

SECONDS = {"bm3d": 8.0, "tv": 0.1, "noisy": 0.0004}


REFERENCE = 0.015


def write(path: Path, seconds: dict[str, float], reference: float = REFERENCE, **extra: object) -> Path:
    """A file as pytest-benchmark writes it, cut down to what is read."""
    benchmarks: list[dict[str, Any]] = [
        {
            "fullname": f"benchmarks/timing/test_methods.py::test_restore[denoise-{name}-{side}-cpu]",
            "extra_info": {"kind": "restore", "what": name, "subject": "denoise", "side": side, "device": "cpu",
                           "relative": value * (side / 256) ** 2 / reference} | extra,
            "stats": {"min": value * (side / 256) ** 2, "rounds": 3},
        }
        for name, value in seconds.items()
        for side in (256, 384)
    ]  # fmt: skip
    race = {"fullname": "benchmarks/timing/test_race.py::test_race", "extra_info": {}, "stats": {"min": 1, "rounds": 1}}
    content = {"benchmarks": [*benchmarks, race], "machine_info": {"cpu": {"brand_raw": "Some Processor"}}}
    path.write_text(json.dumps(content))
    return path


def test_another_machine_is_no_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three times as slow, reference and methods alike."""
    slow = {name: 3 * value for name, value in SECONDS.items()}
    before = write(tmp_path / "a.json", SECONDS)
    assert main(["compare", str(before), str(write(tmp_path / "b.json", slow, reference=3 * REFERENCE))]) == 0
    assert "6 cases compared" in capsys.readouterr().out


def test_twice_as_slow_fails_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the machine is twice as fast, so that the seconds are as before."""
    before = write(tmp_path / "a.json", SECONDS)
    slower = write(tmp_path / "b.json", SECONDS | {"tv": 0.2})
    assert main(["compare", str(before), str(slower)]) == 1
    out = capsys.readouterr().out
    assert "test_restore[denoise-tv-256-cpu]" in out
    assert "2.00 SLOWER" in out
    assert "2 slower" in out
    assert "bm3d" not in out
    assert main(["compare", str(before), str(slower), "--tolerance", "2.1"]) == 0
    same_seconds = write(tmp_path / "c.json", {"tv": 0.1}, reference=REFERENCE / 2)
    assert main(["compare", str(before), str(same_seconds)]) == 1


def test_faster_is_said_and_does_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = write(tmp_path / "a.json", SECONDS)
    assert main(["compare", str(before), str(write(tmp_path / "b.json", SECONDS | {"bm3d": 2.0}))]) == 0
    assert "0.25 faster" in capsys.readouterr().out


def test_under_the_floor_python_is_timed_and_not_the_method(tmp_path: Path) -> None:
    before = write(tmp_path / "a.json", SECONDS)
    floor = FLOOR * REFERENCE
    assert SECONDS["noisy"] < floor / 5
    assert main(["compare", str(before), str(write(tmp_path / "b.json", SECONDS | {"noisy": floor * 0.4}))]) == 0
    assert main(["compare", str(before), str(write(tmp_path / "b.json", SECONDS | {"noisy": floor * 2}))]) == 1


def test_cases_of_one_file_alone_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = write(tmp_path / "a.json", {"tv": 0.1, "bm3d": 8})
    assert main(["compare", str(before), str(write(tmp_path / "b.json", {"tv": 0.1, "nlm": 1}))]) == 0
    out = capsys.readouterr().out
    assert "2 case(s) in the baseline alone, for instance test_restore[denoise-bm3d-256-cpu]" in out
    assert "2 case(s) not in the baseline, for instance test_restore[denoise-nlm-256-cpu]" in out


def test_bad_files_are_refused(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "a.json", SECONDS), tmp_path / "bad.json"
    with pytest.raises(SuiteError, match="cannot read"):
        main(["compare", str(good), str(tmp_path / "none.json")])
    for text in ("{", "[]", "{}", '{"benchmarks": [{}], "machine_info": {}}'):
        bad.write_text(text)
        with pytest.raises(SuiteError, match="not a file of timings"):
            main(["table", str(bad)])
    bad.write_text('{"benchmarks": [], "machine_info": {}}')
    with pytest.raises(SuiteError, match="no timed case"):
        main(["table", str(bad)])
    with pytest.raises(SuiteError, match="no case in common"):
        main(["compare", str(good), str(write(tmp_path / "b.json", {"other": 1}))])
    with pytest.raises(SuiteError, match="out of range"):
        main(["compare", str(good), str(good), "--tolerance", "0.9"])


def test_table_and_figure(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", SECONDS)
    assert main(["table", str(path), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "timing.md").read_text()
    assert "Some Processor" in text
    assert "| bm3d | 8 | 18 | 533 |" in text
    assert text.index("| noisy") < text.index("| tv") < text.index("| bm3d")
    table = pd.read_csv(tmp_path / "out" / "timing.csv")
    assert len(table) == 6
    assert table.seconds.max() == 18
    assert (tmp_path / "out" / "timing.png").read_bytes().startswith(b"\x89PNG")


def test_table_of_a_gpu_has_its_card_and_peak_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"tv": 0.1}, device="cuda", card="Some Card", peak_mb=123.4)
    assert main(["table", str(path), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "timing.md").read_text()
    assert "Some Card" in text
    assert "peak MiB" in text
    assert "| 123 |" in text


def test_rounds_keep_to_their_budget() -> None:
    assert [rounds_for(seconds) for seconds in (9, 0.25, 0.001, 0)] == [1, 3, MOST_ROUNDS, MOST_ROUNDS]


def test_a_machine_slow_for_a_while_changes_no_ratio() -> None:
    """Thrice as slow from the third round on; and one round that was interrupted."""
    assert relative_seconds([6, 2, 6, 6], [1, 1, 1, 3, 3]) == pytest.approx(2.5)
    assert relative_seconds([2, 2, 60, 6, 6], [1, 1, 1, 3, 3, 3]) == pytest.approx(2)
    assert relative_seconds([8], [1, 3]) == pytest.approx(4)


def test_the_committed_baseline_can_be_read() -> None:
    path = ROOT / "results" / "timing" / "baseline.json"
    if not path.exists():
        pytest.skip("no baseline is committed")
    timings = load(path)
    assert {case.info["kind"] for case in timings.cases.values()} == {"restore", "metric", "inversion", "runner"}
    assert "node" not in json.loads(path.read_text())["machine_info"]


class Counted(Device):
    """A device that counts its memory; it computes on the CPU, and tells of what the work says it took there."""

    name: ClassVar[str] = "counted"
    counts: ClassVar[bool] = True

    def __init__(self) -> None:
        self.now = self.most = 0

    @property
    def card(self) -> str:
        return "Some Card"

    def take(self, bytes_: int) -> None:
        """Hold some more for a moment."""
        self.most = max(self.most, self.now + bytes_)

    def allocated(self) -> int:
        self.most = self.now
        return self.now

    def peak(self) -> int:
        return self.most


def test_work_that_does_not_touch_the_device_is_refused(benchmark: BenchmarkFixture) -> None:
    """What lies there already, and what the reference kernel takes, do not count."""
    device = Counted()
    device.now = 7 * 2**20
    with pytest.raises(RuntimeError, match="elsewhere is timed on counted and allocated nothing there"):
        time_case(benchmark, lambda: None, kind="inversion", what="elsewhere", device=device, rounds=2)
    assert "device" not in benchmark.extra_info


def test_the_peak_of_the_work_alone_is_noted(benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    device, large = Counted(), 50 * 2**20
    device.now = 7 * 2**20

    def reference(*_: object) -> float:
        device.take(large)
        return 0.01

    monkeypatch.setattr("benchmarks.timing.case.reference_seconds", reference)
    work = functools.partial(device.take, 3 * 2**20)
    time_case(benchmark, work, kind="inversion", what="there", subject="holes", side=256, device=device, rounds=2)
    assert benchmark.extra_info["peak_mb"] == 3
    assert benchmark.extra_info["card"] == "Some Card"
    assert benchmark.group == "inversion holes 256×256 counted"


def test_the_memory_of_the_processor_is_not_counted(benchmark: BenchmarkFixture) -> None:
    time_case(benchmark, lambda: None, kind="runner", what="nothing", rounds=1)
    assert "peak_mb" not in benchmark.extra_info
    assert set(KINDS) == {"cpu", "cuda"}


def test_the_generator_is_made_on_the_device_of_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[object, ...]] = []
    monkeypatch.setattr(test_inversions, "PGGAN", lambda *given: made.append(given))
    monkeypatch.setattr(test_inversions, "random_state", lambda _: {})
    test_inversions.generator("meta")
    assert inspect.signature(PGGAN).bind(*made[0]).arguments["device"] == "meta"


def test_there_is_a_case_for_every_method_on_its_tasks() -> None:
    cases = {tuple(case.values[:2]) for case in test_methods.CASES}
    assert {task for task, _ in cases} == {*TASKS.names()} - {*test_methods.PAIRED}
    assert {("denoise", "nlm"), ("colorize", "mgan-bedroom"), ("inpaint-center", "harmonic")} <= cases
    assert not {("denoise", "harmonic"), ("colorize", "nlm")} & cases
    assert len({case.id for case in test_methods.CASES}) == len(test_methods.CASES)


PLANTED = """
import os
from dataclasses import dataclass
from typing import ClassVar

from benchmarks.timing.case import reference_kernel
from bigprior.fusion import Restoration
from datasets.task import DENOISING, Problem
from methods.base import Method


@dataclass(frozen=True)
class Planted(Method):
    name: ClassVar[str] = "planted"
    summary: ClassVar[str] = "does a given amount of work"
    citation: ClassVar[str] = "none"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = False

    def restore(self, observation):
        for _ in range(int(os.environ["PLANTED_WORK"])):
            reference_kernel("cpu")()
        return Restoration(image=observation.y)
"""


@pytest.mark.slow
def test_a_method_made_twice_as_slow_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The timing suite itself runs, on a planted method that does its work once and twice."""
    (tmp_path / "planted.py").write_text(textwrap.dedent(PLANTED))

    def timed(name: str, work: int) -> str:
        path = tmp_path / name
        # Seconds of the processor: other work on the machine must not decide a test.
        command = [sys.executable, "-m", "pytest", "benchmarks/timing/test_methods.py", "-q", "-p", "no:cacheprovider",
                   "-k", "planted and 256 and cpu", "--benchmark-only", f"--benchmark-json={path}",
                   "--benchmark-timer=time.process_time"]  # fmt: skip
        settings = os.environ | {"RESTORATION_PLUGINS": str(tmp_path), "PLANTED_WORK": str(work)}
        done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(path)

    once, again, twice = timed("once.json", 5), timed("again.json", 5), timed("twice.json", 10)
    assert main(["compare", once, again]) == 0
    assert main(["compare", once, twice]) == 1
    assert "denoise-planted-256-cpu" in capsys.readouterr().out
