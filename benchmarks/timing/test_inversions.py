"""Seconds of one iteration of every inversion of a generative prior at 256×256, its set-up included.

Without the perceptual part, whose weights would have to be fetched.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.timing.case import DEVICES, require, time_case
from benchmarks.timing.generator import random_state
from bigprior.priors.base import GenerativePrior
from bigprior.priors.deep_image_prior import DeepImagePrior
from bigprior.priors.feature_map import FeatureMap
from bigprior.priors.multi_code import MultiCode
from bigprior.priors.pggan import PGGAN, Layout
from datasets.dataset import get_dataset
from datasets.task import Key, get_task

SIDE = 256
ROUNDS = 1
LAYOUT = Layout(SIDE)


def generator(device: str) -> PGGAN:
    """The 256 PGGAN with random weights, on the device."""
    return PGGAN(random_state(LAYOUT), LAYOUT, device)


PRIORS: dict[str, Callable[[str], GenerativePrior]] = {
    "one-code": lambda device: MultiCode(generator(device), codes=1, iterations=1),
    "multi-code-30-at-4": lambda device: MultiCode(generator(device), codes=30, layer=4, iterations=1),
    "multi-code-20-at-6": lambda device: MultiCode(generator(device), codes=20, layer=6, iterations=1),
    "feature-map": lambda device: FeatureMap(generator(device), iterations=1),
    "deep-image-prior": lambda device: DeepImagePrior(iterations=1),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", PRIORS)
def test_iteration(benchmark: BenchmarkFixture, name: str, device: str) -> None:
    require(device)
    entry = get_dataset("photos").entries("test")[0]
    observation = get_task("inpaint-center").degrade(entry.load(), Key(0, "photos", entry.name)).to(device)
    prior = PRIORS[name](device)
    assert torch.isfinite(prior.invert(observation).image).all()
    time_case(
        benchmark, lambda: prior.invert(observation), kind="inversion", what=name, side=SIDE, device=device,
        rounds=ROUNDS,
    )  # fmt: skip
