"""Our denoising network against the `bm3d` package on a colour image, one thread each, in turn in the same process.

OMP_NUM_THREADS=1 pytest benchmarks/timing/test_denoiser_speed.py
"""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timing.race import against_bm3d
from datasets.dataset import get_dataset
from datasets.task import Key, get_task
from methods.supervised.unet_blind import UNetBlind

FACTOR = 10


def test_restore(benchmark: BenchmarkFixture) -> None:
    entry = get_dataset("photos").entries("test")[0]
    observation = get_task("denoise", sigma="25").degrade(entry.load(), Key(0, "photos", entry.name))
    benchmark.group = "denoising network 256×256 colour"
    assert against_bm3d(benchmark, UNetBlind(), observation) >= FACTOR
