"""What the runner costs beside restoring: a run of the method that does nothing, resuming it, and its tables."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from skimage import data

from benchmarks.folder.facts import Counts, Facts, RowFacts
from benchmarks.folder.records import Record, frame
from benchmarks.plan import Request
from benchmarks.run import parser
from benchmarks.scores.protocol import get_protocol
from benchmarks.session import requests, run
from benchmarks.setting import Setting
from benchmarks.tables.summary import summarise
from benchmarks.timing.case import time_case
from datasets.task import get_task

IMAGES = 16
ROUNDS = 3


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """A run of `noisy` on small images, without figures and LPIPS."""
    monkeypatch.setattr("benchmarks.tables.figures.draw_all", lambda *_: [])
    monkeypatch.setattr("benchmarks.scores.metrics.lpips.LPIPS.unavailable", lambda _: "left out here")
    folder = tmp_path / "images"
    folder.mkdir()
    photograph = data.astronaut()
    for number in range(IMAGES):
        Image.fromarray(photograph[16 * number :][:64, 180:244]).save(folder / f"crop{number:02}.png")
    words = f"--task denoise --methods noisy --jobs 1 --device cpu --dataset {folder} --out {tmp_path / 'run'}"
    return requests(parser().parse_args(words.split()))[0]


def test_run(benchmark: BenchmarkFixture, asked: Request) -> None:
    def fresh() -> None:
        shutil.rmtree(asked.out, ignore_errors=True)
        assert run(asked, make_executor=ThreadPoolExecutor) == 0

    fresh()
    time_case(benchmark, fresh, kind="runner", what=f"run of {IMAGES} images", rounds=ROUNDS)


def test_resume(benchmark: BenchmarkFixture, asked: Request) -> None:
    def again() -> None:
        assert run(asked, make_executor=ThreadPoolExecutor) == 0

    again()
    time_case(benchmark, again, kind="runner", what=f"finished run of {IMAGES} images", rounds=ROUNDS)


def test_summary(benchmark: BenchmarkFixture) -> None:
    random = np.random.RandomState(0)
    task, protocol = get_task("denoise"), get_protocol("standard")
    measures = protocol.measures("psnr,ssim,lpips")
    images, rows = [f"{number}" for number in range(50)], [f"noisy[sigma={number}]" for number in range(20)]
    names = [measure.name for measure in measures]
    records = frame(
        (
            Record(task.name, "photos", image, row, {"sigma": 25.0, **dict(zip(names, random.rand(3), strict=True))})
            for image in images
            for row in rows
        ),
        ["sigma", *names],
    )
    facts = Facts(
        Setting(task, "photos", "test", 0, protocol, "cpu"),
        measures,
        {row: RowFacts(row, "0") for row in rows},
        dict.fromkeys(images, "0"),
        Counts(len(images), len(records)),
    )
    summarise(records, facts)
    time_case(benchmark, lambda: summarise(records, facts), kind="runner", what="tables of 50 × 20", rounds=ROUNDS)
