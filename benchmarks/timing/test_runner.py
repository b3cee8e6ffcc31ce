"""What the runner costs beside restoring: a run of the method that does nothing, resuming it, and its tables."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture
from skimage import data

from benchmarks.records import Record, frame
from benchmarks.run import parser
from benchmarks.session import run
from benchmarks.summary import summarise
from benchmarks.timing.case import time_case

IMAGES = 16
ROUNDS = 3


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run of `noisy` on small images, without figures and LPIPS."""
    monkeypatch.setattr("benchmarks.figures.draw_all", lambda *_: [])
    monkeypatch.setattr("benchmarks.metrics.lpips.LPIPS.unavailable", lambda _: "left out here")
    folder = tmp_path / "images"
    folder.mkdir()
    photograph = data.astronaut()
    for number in range(IMAGES):
        Image.fromarray(photograph[16 * number :][:64, 180:244]).save(folder / f"crop{number:02}.png")
    words = f"--task denoise --methods noisy --jobs 1 --device cpu --dataset {folder} --out {tmp_path / 'run'}"
    return parser().parse_args(words.split())


def test_run(benchmark: BenchmarkFixture, arguments: Any) -> None:
    def fresh() -> None:
        shutil.rmtree(arguments.out, ignore_errors=True)
        assert run(arguments, make_executor=ThreadPoolExecutor) == 0

    fresh()
    time_case(benchmark, fresh, kind="runner", what=f"run of {IMAGES} images", rounds=ROUNDS)


def test_resume(benchmark: BenchmarkFixture, arguments: Any) -> None:
    def again() -> None:
        assert run(arguments, make_executor=ThreadPoolExecutor) == 0

    again()
    time_case(benchmark, again, kind="runner", what=f"finished run of {IMAGES} images", rounds=ROUNDS)


def test_summary(benchmark: BenchmarkFixture) -> None:
    random = np.random.RandomState(0)
    records = frame(
        Record("denoise", "photos", f"{image}", f"method{row}", 25.0, *random.rand(3)) for image in range(50)
        for row in range(20)
    )  # fmt: skip
    facts: dict[str, Any] = {
        "task": "denoise", "label": "denoise", "parameters": {"sigma": "25"}, "dataset": "photos", "split": "test",
        "seed": 0, "protocol": "standard", "metrics": ["psnr", "ssim", "lpips"], "counts": {"images": 50},
    }  # fmt: skip
    summarise(records, facts)
    time_case(benchmark, lambda: summarise(records, facts), kind="runner", what="tables of 50 × 20", rounds=ROUNDS)
