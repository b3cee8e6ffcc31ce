"""Our collaborative filter against the `bm3d` package, one thread each, in turn in the same process.

OMP_NUM_THREADS=1 pytest benchmarks/timing/test_collaborative_speed.py
"""

from __future__ import annotations

import statistics
import time

import bm3d
import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn.functional import interpolate

from datasets.dataset import get_dataset
from datasets.observation import Luma
from datasets.task import Key, get_task
from methods.classic.collaborative import CollaborativeWiener

FACTOR = 3
ROUNDS = 3


@pytest.mark.parametrize("channels", [1, 3], ids=["gray", "colour"])
@pytest.mark.parametrize("side", [256, 512])
def test_restore(benchmark: BenchmarkFixture, side: int, channels: int) -> None:
    assert torch.get_num_threads() == 1
    entry = get_dataset("photos").entries("test")[0]
    clean = interpolate(entry.load()[None], size=(side, side), mode="bicubic").clamp(0, 1)
    clean = clean if channels == 3 else Luma().forward(clean)
    observation = get_task("denoise", sigma="25").degrade(clean[0], Key(0, "photos", entry.name))
    assert observation.sigma is not None
    sigma = float(observation.sigma)
    method = CollaborativeWiener()
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1
    pixels = np.ascontiguousarray(observation.y[0].permute(1, 2, 0).double().numpy())
    package_seconds = []

    def package() -> None:
        began = time.perf_counter()
        if channels == 3:
            bm3d.bm3d_rgb(pixels, sigma, profile)
        else:
            bm3d.bm3d(pixels[..., 0], sigma, profile)
        package_seconds.append(time.perf_counter() - began)

    benchmark.group = f"collaborative filter {side}×{side} {'colour' if channels == 3 else 'gray'}"
    with torch.inference_mode():
        method.restore(observation)
        benchmark.pedantic(lambda: method.restore(observation), setup=package, rounds=ROUNDS)
    assert benchmark.stats is not None
    ours, median = benchmark.stats.stats.median, statistics.median(package_seconds)
    factor = median / ours
    benchmark.extra_info |= {"package_seconds": median, "times_as_fast": factor}
    print(f"package {median:.2f} s, ours {ours:.2f} s: {factor:.1f} times as fast")
    assert factor >= FACTOR
