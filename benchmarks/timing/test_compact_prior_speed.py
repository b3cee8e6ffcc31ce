"""Inversion of the compact prior: a batch of 8 images of 256×256 through the operator of every task.

OMP_NUM_THREADS=1 pytest benchmarks/timing/test_compact_prior_speed.py
"""

from __future__ import annotations

import resource

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bigprior.priors.compact.prior import CompactPrior, load_prior
from datasets.observation import Observation
from datasets.task import Key, get_task

BATCH, SIDE = 8, 256
SECONDS = 4.0
"""The most an image may take."""
MEMORY = 4 * 2**30
"""The most the process may come to hold, bytes."""


def batch(task: str) -> Observation:
    clean = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    one = get_task(task).degrade(clean, Key(0, "timing", "a")).without_truth()
    return Observation.cat([one] * BATCH)


@pytest.mark.parametrize("task", ["denoise", "inpaint-center", "colorize"])
@pytest.mark.benchmark(group="compact prior, batch of 8, 256×256")
def test_compact_inversion(benchmark: BenchmarkFixture, task: str) -> None:
    prior, observation = CompactPrior(load_prior()), batch(task)
    benchmark.pedantic(lambda: prior.invert(observation), rounds=1, warmup_rounds=1)
    assert benchmark.stats is not None
    assert benchmark.stats["min"] / BATCH < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < MEMORY
