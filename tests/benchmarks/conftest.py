"""Small runs for the tests of the runner: tiny images, quick methods, workers in threads of this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from benchmarks.run import check_names, parser
from benchmarks.session import requests, run

Runner = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three crops of a photograph, 48×40."""
    images = tmp_path / "images"
    images.mkdir()
    photograph = data.astronaut()
    for number in range(3):
        Image.fromarray(photograph[60 * number : 60 * number + 48, 180:220]).save(images / f"crop{number}.png")
    return images


@pytest.fixture
def run_here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Run the benchmark in this process, on threads, without LPIPS and figures unless they are asked for."""
    monkeypatch.setattr("benchmarks.tables.figures.draw_all", lambda *_: [])
    monkeypatch.setattr("benchmarks.scores.metrics.lpips.LPIPS.unavailable", lambda _: "left out of this test")

    def go(*extra: str, out: Path | None = None, dataset: Path | str = folder, task: str = "denoise") -> int:
        # On the CPU, where numbers are promised to the last bit, on a machine with a GPU too.
        argv = ["--task", task, "--dataset", str(dataset), "--out", str(out or tmp_path / "run")]
        argv += ["--jobs", "2", "--device", "cpu"]
        arguments = parser().parse_args([*argv, *extra])
        check_names(arguments)
        # A thread pool stands for "another engine's executor": only submit and shutdown are used.
        return max(run(request, make_executor=ThreadPoolExecutor) for request in requests(arguments))

    return go
