"""Seconds of scoring one colour image with each metric, the reference's share included."""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.scores.protocol import get_protocol
from benchmarks.scores.scorer import Scorer
from benchmarks.timing.case import DEVICES, SIDES, require, time_case
from datasets.catalog import METRICS

ROUNDS = 5


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", METRICS.names())
def test_metric(benchmark: BenchmarkFixture, name: str, side: int, device: str) -> None:
    require(device)
    measure = get_protocol("standard").measure(name)
    reason = measure.metric.unavailable()
    if reason is not None:
        pytest.skip(reason)
    random = torch.Generator().manual_seed(0)
    clean = torch.rand(1, 3, side, side, generator=random)
    image = clean + 0.1 * torch.randn(clean.shape, generator=random)
    mask = torch.ones(1, 1, side, side)
    mask[..., side // 4 : side // 2, side // 4 : side // 2] = 0
    scorer = Scorer([measure], device)

    def score() -> object:
        return scorer.score(scorer.prepare(clean, mask), image)

    score()
    time_case(benchmark, score, kind="metric", what=name, side=side, device=device, rounds=ROUNDS)
