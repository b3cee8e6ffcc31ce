"""Our collaborative filter against the `bm3d` package, one thread each, in turn in the same process.

OMP_NUM_THREADS=1 pytest benchmarks/timing/test_collaborative_speed.py
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn.functional import interpolate

from benchmarks.timing.race import against_bm3d
from datasets.dataset import get_dataset
from datasets.operators import Luma
from datasets.task import Key, get_task
from methods.classic.collaborative import CollaborativeWiener
from methods.classic.kernels import installed

FACTOR = 12 if installed() else 2
"""Below the 17 that were measured: on another processor the ratio is another."""


@pytest.mark.parametrize(
    ("side", "channels"),
    [(256, 1), (256, 3), (512, 1), (512, 3)],
    ids=["256-gray", "256-colour", "512-gray", "512-colour"],
)
def test_restore(benchmark: BenchmarkFixture, side: int, channels: int) -> None:
    entry = get_dataset("photos").entries("test")[0]
    clean = interpolate(entry.load()[None], size=(side, side), mode="bicubic").clamp(0, 1)
    clean = clean if channels == 3 else Luma().forward(clean)
    observation = get_task("denoise", sigma="25").degrade(clean[0], Key(0, "photos", entry.name))
    benchmark.group = f"collaborative filter {side}×{side} {'colour' if channels == 3 else 'gray'}"
    rounds = 2 if side == 256 else 1  # the package takes up to a minute for the larger image
    assert against_bm3d(benchmark, CollaborativeWiener(), observation, rounds) >= FACTOR
