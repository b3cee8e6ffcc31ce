"""A row and the `bm3d` package timed in turn in one process, so that a busy machine slows both."""

from __future__ import annotations

import statistics
import time

import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timing.peers.races.collaborative import bm3d_package
from datasets.observation import Observation
from methods.base import Method

ROUNDS = 2


def against_bm3d(benchmark: BenchmarkFixture, method: Method, observation: Observation, rounds: int = ROUNDS) -> float:
    """Return how many times as fast a method restores one image as the `bm3d` package, both on one thread."""
    assert torch.get_num_threads() == 1
    package = bm3d_package(observation)
    package_seconds = []

    def timed_package() -> None:
        began = time.perf_counter()
        package()
        package_seconds.append(time.perf_counter() - began)

    with torch.inference_mode():
        method.restore(observation)
        benchmark.pedantic(lambda: method.restore(observation), setup=timed_package, rounds=rounds)
    assert benchmark.stats is not None
    ours, median = benchmark.stats.stats.median, statistics.median(package_seconds)
    factor = float(median / ours)
    benchmark.extra_info |= {"package_seconds": median, "times_as_fast": factor}
    print(f"package {median:.2f} s, ours {ours:.2f} s: {factor:.1f} times as fast")
    return factor
