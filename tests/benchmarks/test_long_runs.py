"""What a run of very many images costs: a share per image that does not grow, and nothing where nothing is to do."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import run as command
from benchmarks.executors import local
from benchmarks.folder import syncing
from benchmarks.folder.provenance import ROOT
from benchmarks.folder.records import Record, RecordFile
from benchmarks.folder.run_folder import RunFolder
from benchmarks.plan import MOST_PREVIEWS, _previews
from benchmarks.session import requests
from benchmarks.tables import statistics
from benchmarks.tables.kept import KEPT, keep, kept
from benchmarks.tables.summary import summarise
from datasets.errors import SuiteError
from datasets.files import StorageError
from datasets.sets.folder import FolderImage

from .conftest import Runner

ROWS = "noisy,local-wiener"


def many(folder: Path, number: int, side: int = 32) -> Path:
    """A folder of so many small images."""
    folder.mkdir()
    random = np.random.RandomState(0)
    for place in range(number):
        pixels = np.outer(*random.uniform(5, 15, (2, side)))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{place:05}.png")
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often images are read and hashed, and each folder is listed, by its path."""
    counted: Counter[str] = Counter()

    def count(owner: object, name: str, told: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def counting(*given: object) -> object:
            counted[told(*given)] += 1
            return original(*given)

        monkeypatch.setattr(owner, name, counting)

    count(os, "scandir", lambda path=".": str(path))
    count(FolderImage, "load", lambda _: "load")
    count(FolderImage, "sha256", lambda _: "sha256")
    return counted


@pytest.mark.parametrize("number", [3, 7])
def test_a_folder_is_listed_once_and_every_image_is_read_twice(
    run_here: Runner, tmp_path: Path, calls: Counter[str], number: int
) -> None:
    """Once when the run looks at it, once by the worker, however many rows there are."""
    images = many(tmp_path / "many", number)
    calls.clear()
    assert run_here("--methods", f"{ROWS},nlm", "--jobs", "1", dataset=images) == 0
    assert calls["load"] == 2 * number
    assert calls["sha256"] == number
    assert calls[str(images)] == 1


def test_a_finished_run_reads_no_image_and_starts_nothing(
    folder: Path,
    run_here: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: Counter[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_here("--methods", ROWS)
    first = capsys.readouterr().out.split("seed 0")[1]

    def started(*_: object) -> None:
        raise AssertionError("started for nothing")

    monkeypatch.setattr(local, "start_server", started)
    monkeypatch.setattr("benchmarks.session.start_server", started)
    monkeypatch.setattr("benchmarks.executors.lanes.local_processes", started)
    monkeypatch.setattr("benchmarks.tables.outputs.summarise", started)
    calls.clear()
    words = ["--task", "denoise", "--dataset", str(folder), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert command.main([*words, "--methods", ROWS]) == 0
    assert capsys.readouterr().out.split("seed 0")[1] == first, "the same table"
    assert calls["load"] == 0
    assert calls["sha256"] == 3
    assert command.main([*words, "--methods", "noisy", "--limit", "2"]) == 0, "a part of it"
    with pytest.raises(AssertionError, match="for nothing"):
        command.main([*words, "--methods", f"{ROWS},bilateral"])


def test_an_image_that_has_changed_since_is_seen(run_here: Runner, folder: Path) -> None:
    run_here("--methods", ROWS)
    (folder / "crop1.png").write_bytes((folder / "crop0.png").read_bytes())
    with pytest.raises(SuiteError, match="image crop1 has changed"):
        run_here("--methods", ROWS)


def test_a_new_image_and_one_that_is_broken(run_here: Runner, folder: Path, tmp_path: Path) -> None:
    """What is not known is looked at, and all images are when something is to do: batches are cut from all of them."""
    run_here("--methods", ROWS)
    (folder / "crop9.png").write_bytes((folder / "crop0.png").read_bytes())
    (folder / "broken.png").write_bytes(b"nothing")
    assert run_here("--methods", ROWS) == 1
    assert run_here("--methods", ROWS) == 1, "with nothing to do it is named again"
    records = pd.read_csv(tmp_path / "run" / "records.csv")
    assert len(records) == 8
    alike = records[records.image.isin(["crop0", "crop9"])].pivot_table(index="image", columns="method", values="psnr")
    assert alike.notna().all(axis=None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], True),
        (["--methods", "nlm"], True),
        (["--sigma", "15"], False),
        (["--seed", "1"], False),
        (["--fresh"], False),
        (["--refresh", "noisy"], False),
        (["--task", "colorize"], False),
    ],
)
def test_a_finished_run_is_guessed_from_its_facts(
    run_here: Runner, folder: Path, tmp_path: Path, words: list[str], expected: bool
) -> None:
    run_here("--methods", "noisy")
    given = ["--task", "denoise", "--dataset", str(folder), "--out", str(tmp_path / "run")]
    assert command.seems_finished(command.parser().parse_args([*given, *words])) is expected
    above = ["--task", "denoise", "--dataset", str(folder), "--out", str(tmp_path)]
    assert command.seems_finished(command.parser().parse_args([*above, *words])) is expected


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b'{"arguments": 1}', b'{"arguments": {}}', b"\xff"])
def test_facts_that_cannot_be_read_are_no_finished_run(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    arguments = command.parser().parse_args(["--task", "denoise", "--out", str(tmp_path)])
    assert not command.seems_finished(arguments)


def test_pictures_to_look_at_do_not_grow_with_the_set() -> None:
    shapes = {f"{number}": (1, 8, 8) for number in range(1000)}
    assert len(_previews(SimpleNamespace(shapes=shapes, rows=range(2)))) == MOST_PREVIEWS  # type: ignore[arg-type]


def records(path: Path, number: int) -> RecordFile:
    file = RecordFile(path, ("psnr",)).load()
    for place in range(number):
        file.append([Record("denoise", "many", f"{place}", "noisy", {"psnr": float(place)})])
    return file


def test_records_are_in_the_file_at_once_and_on_the_disk_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, original = threading.Event(), os.fsync
    count = 0

    def fsync(descriptor: int) -> None:
        nonlocal count
        count += 1
        original(descriptor)
        synced.set()

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(syncing, "DELAY", 0.2)
    began = time.monotonic()
    file = records(tmp_path / "records.csv", 300)
    assert len(RecordFile(file.path).load().records) == 300
    assert synced.wait(5), "nobody asked for it"
    assert count <= 1 + (time.monotonic() - began) / 0.2
    file.append([Record("denoise", "many", "one more", "noisy", {"psnr": 1.0})])
    before = count
    file.sync()
    assert count == before + 1
    time.sleep(0.3)
    assert count == before + 1, "there was nothing left to bring to the disk"
    RecordFile(file.path).load().sync()
    assert count == before + 1, "nothing was written"


def test_a_disk_that_fails_later_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def fsync(_: int) -> None:
        failed.set()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(syncing, "DELAY", 0.01)
    file = records(tmp_path / "records.csv", 1)
    assert failed.wait(5)
    time.sleep(0.05)
    with pytest.raises(StorageError, match="Input/output error"):
        file.append([Record("denoise", "many", "next", "noisy")])
    with pytest.raises(StorageError, match="Input/output error"):
        file.sync()


def test_a_process_that_is_killed_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    source = (
        "import os, signal, sys; from pathlib import Path; from benchmarks.folder.records import Record, RecordFile\n"
        "file = RecordFile(Path(sys.argv[1]), ('psnr',)).load()\n"
        "for n in range(100): file.append([Record('denoise', 'many', str(n), 'noisy', {'psnr': float(n)})])\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", source, str(path)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(RecordFile(path).load().records) == 100


def test_a_summary_that_is_kept_is_the_one_that_was_made(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", f"{ROWS},fourier-wiener-oracle")
    folder = RunFolder(tmp_path / "run")
    made, again = summarise(folder.records, folder.facts), kept(folder, folder.facts)
    assert again is not None
    pd.testing.assert_frame_equal(again.table, made.table, check_exact=True)
    pd.testing.assert_frame_equal(again.pairs, made.pairs, check_exact=True)
    assert replace(again, table=made.table, pairs=made.pairs) == made


def test_a_summary_is_not_kept_of_something_else(run_here: Runner, tmp_path: Path) -> None:
    run_here("--methods", ROWS)
    folder = RunFolder(tmp_path / "run")
    facts = folder.facts
    assert kept(folder, facts) is not None
    assert kept(folder, replace(facts, label="another")) is None
    (folder.path / "summary.md").unlink()
    assert kept(folder, facts) is None
    run_here("--methods", ROWS)
    assert (folder.path / "summary.md").exists(), "made again"
    whole = (folder.path / KEPT).read_bytes()
    for damaged in (b"", whole[:-9], b"[]", b"7", json.dumps(json.loads(whole) | {"table": [1]}).encode()):
        (folder.path / KEPT).write_bytes(damaged)
        assert kept(folder, facts) is None
    keep(folder, summarise(folder.records, facts), facts)
    assert kept(folder, facts) is not None
    text = (folder.path / "records.csv").read_text()
    (folder.path / "records.csv").write_text(text.replace("denoise", "Denoise", 1))
    assert kept(folder, facts) is None


@pytest.mark.slow
def test_seconds_per_image_do_not_grow(
    run_here: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Counter[str]
) -> None:
    """CPU seconds of this process and its threads, from one size to the next: a start that is fixed drops out."""
    monkeypatch.setattr(statistics, "MANY", 0)  # all sizes on the way of the large ones
    numbers = (100, 500, 1500)
    folders = [many(tmp_path / f"{number}", number, side=64) for number in numbers]
    spent, listed = np.full((2, 3), np.inf), [0, 0, 0]
    run_here("--methods", ROWS, dataset=folders[0], out=tmp_path / "warm")
    for turn in range(2):  # in turn, and the less of both: other programs disturb
        for place, (number, images) in enumerate(zip(numbers, folders, strict=True)):
            calls.clear()
            began = time.process_time()
            run_here("--methods", ROWS, "--jobs", "1", dataset=images, out=tmp_path / f"run{number}-{turn}")
            spent[turn, place] = time.process_time() - began
            assert calls.pop("load") == 2 * number
            assert calls.pop("sha256") == number
            assert calls[str(images)] == 1
            listed[place] = calls.total()
    shares = np.diff(spent.min(axis=0)) / np.diff(numbers) * 1000
    print(f"CPU ms per image: {', '.join(f'{share:.2f}' for share in shares)}")
    assert shares.max() / shares.min() < 1.4
    assert listed[0] == listed[-1], "the pictures to look at, and nothing that grows"


@pytest.mark.slow
def test_a_finished_run_of_thousands_is_settled_in_little_time(run_here: Runner, tmp_path: Path) -> None:
    images = many(tmp_path / "many", 2000, side=16)
    run_here("--methods", ROWS, dataset=images)
    began = time.process_time()
    run_here("--methods", ROWS, dataset=images)
    assert time.process_time() - began < 2, "CPU seconds, imports aside"


def test_requests_list_a_folder_once(folder: Path, calls: Counter[str]) -> None:
    words = ["--task", "denoise,inpaint-center", "--dataset", str(folder), "--device", "cpu"]
    arguments = command.parser().parse_args(words)
    requests(arguments)
    calls.clear()
    made = requests(arguments)
    assert calls[str(folder)] == len(made) == 2, "once for every run"
    for request in made:
        request.dataset.entries(), request.dataset.left_out
    assert calls[str(folder)] == 2
