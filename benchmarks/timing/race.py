"""Two implementations timed in turn in one process, so that a busy machine slows both."""

from __future__ import annotations

import statistics
import time

import bm3d
import numpy as np
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from datasets.observation import Observation
from methods.base import Method

ROUNDS = 2


def against_bm3d(benchmark: BenchmarkFixture, method: Method, observation: Observation, rounds: int = ROUNDS) -> float:
    """Return how many times as fast a method restores one image as the `bm3d` package, both on one thread."""
    assert torch.get_num_threads() == 1
    assert observation.sigma is not None
    sigma = float(observation.sigma)
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1
    pixels = np.ascontiguousarray(observation.y[0].permute(1, 2, 0).double().numpy())
    package_seconds = []

    def package() -> None:
        began = time.perf_counter()
        if pixels.shape[2] == 3:
            bm3d.bm3d_rgb(pixels, sigma, profile)
        else:
            bm3d.bm3d(pixels[..., 0], sigma, profile)
        package_seconds.append(time.perf_counter() - began)

    with torch.inference_mode():
        method.restore(observation)
        benchmark.pedantic(lambda: method.restore(observation), setup=package, rounds=rounds)
    assert benchmark.stats is not None
    ours, median = benchmark.stats.stats.median, statistics.median(package_seconds)
    factor = float(median / ours)
    benchmark.extra_info |= {"package_seconds": median, "times_as_fast": factor}
    print(f"package {median:.2f} s, ours {ours:.2f} s: {factor:.1f} times as fast")
    return factor
