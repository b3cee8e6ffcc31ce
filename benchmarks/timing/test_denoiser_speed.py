"""Our denoising network against the `bm3d` package on a colour image, one thread each, in turn in the same process.

OMP_NUM_THREADS=1 pytest benchmarks/timing/test_denoiser_speed.py
"""

from __future__ import annotations

import statistics
import time

import bm3d
import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from datasets.dataset import get_dataset
from datasets.task import Key, get_task
from methods.supervised.unet_blind import UNetBlind

FACTOR = 10
ROUNDS = 3


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_restore(benchmark: BenchmarkFixture, precision: str) -> None:
    assert torch.get_num_threads() == 1
    entry = get_dataset("photos").entries("test")[0]
    observation = get_task("denoise", sigma="25").degrade(entry.load(), Key(0, "photos", entry.name))
    assert observation.sigma is not None
    sigma = float(observation.sigma)
    method = UNetBlind(precision=precision)  # type: ignore[arg-type]
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1
    pixels = np.ascontiguousarray(observation.y[0].permute(1, 2, 0).double().numpy())
    package_seconds = []

    def package() -> None:
        began = time.perf_counter()
        bm3d.bm3d_rgb(pixels, sigma, profile)
        package_seconds.append(time.perf_counter() - began)

    benchmark.group = "denoising network 256×256 colour"
    with torch.inference_mode():
        method.restore(observation)
        benchmark.pedantic(lambda: method.restore(observation), setup=package, rounds=ROUNDS)
    assert benchmark.stats is not None
    ours, median = benchmark.stats.stats.median, statistics.median(package_seconds)
    factor = median / ours
    benchmark.extra_info |= {"package_seconds": median, "times_as_fast": factor}
    print(f"package {median:.2f} s, ours {ours:.2f} s: {factor:.1f} times as fast")
    assert factor >= FACTOR
