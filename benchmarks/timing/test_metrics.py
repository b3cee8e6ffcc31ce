"""Seconds of scoring one colour image with each metric, the reference's share included."""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.metrics import metrics
from benchmarks.protocol import get_protocol
from benchmarks.scoring import Scorer
from benchmarks.timing.case import DEVICES, SIDES, require, time_case

ROUNDS = 5


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", metrics())
def test_metric(benchmark: BenchmarkFixture, name: str, side: int, device: str) -> None:
    require(device)
    reason = get_protocol("standard").metric(name).unavailable()
    if reason is not None:
        pytest.skip(reason)
    random = torch.Generator().manual_seed(0)
    clean = torch.rand(1, 3, side, side, generator=random)
    image = clean + 0.1 * torch.randn(clean.shape, generator=random)
    mask = torch.ones(1, 1, side, side)
    mask[..., side // 4 : side // 2, side // 4 : side // 2] = 0
    scorer = Scorer("standard", [name], device)

    def score() -> object:
        return scorer.score(scorer.prepare(clean, mask), image)

    score()
    time_case(benchmark, score, kind="metric", what=name, side=side, device=device, rounds=ROUNDS)
