"""Seconds of `restore` for every method × task at two sizes. A group is a task and a size: it ranks the methods."""

from __future__ import annotations

import time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.nn.functional import interpolate

from benchmarks.rows import Row, every_row
from benchmarks.timing.case import DEVICES, SIDES, require, rounds_for, synchronise, time_case
from datasets.catalog import TASKS
from datasets.dataset import get_dataset
from datasets.observation import Observation
from datasets.task import Key, Task, get_task
from methods.base import Method

SMALL = 64
"""Side of the image that warms a method up on the CPU and tells about how long the timed one will take."""
SLOW = 1.5
"""Seconds from which on a method is not warmed up on the whole image too."""
PROBLEMS = {row.label: row.method.problems for row in every_row()[0]}
"""Every method, and every named variant of one."""
PAIRED = ("real-noise",)
"""Tasks that need pairs of photographs; their methods are those of denoising."""
CASES = [
    pytest.param(task, name, side, device, id=f"{task}-{name}-{side}-{device}")
    for device in DEVICES
    for side in SIDES
    for task in TASKS.names()
    for name, problems in PROBLEMS.items()
    if task not in PAIRED and get_task(task).problem in problems
]


def observe(task: Task, method: Method, side: int, device: str) -> Observation:
    """A degraded photograph of this size, as the method may see it."""
    entry = get_dataset("photos").entries("test")[0]
    clean = interpolate(entry.load()[None], size=(side, side), mode="bicubic").clamp(0, 1)[0]
    observation = task.degrade(clean, Key(0, "photos", entry.name))
    return (observation if method.oracle else observation.without_truth()).to(device)


@pytest.mark.parametrize(("task_name", "name", "side", "device"), CASES)
def test_restore(benchmark: BenchmarkFixture, task_name: str, name: str, side: int, device: str) -> None:
    require(device)
    method, task = Row.parse(name).method, get_task(task_name)
    reason = method.supports(task) or method.on_request
    if reason is not None:
        pytest.skip(reason)
    if device not in method.devices:
        pytest.skip(f"computes on {', '.join(method.devices)}")
    small, observation = observe(task, method, SMALL, device), observe(task, method, side, device)

    def seconds(given: Observation) -> float:
        began = time.perf_counter()
        with torch.no_grad():
            method.restore(given)
        synchronise(device)
        return time.perf_counter() - began

    seconds(small)
    estimate = seconds(small) * (side / SMALL) ** 2
    # A GPU's libraries choose their algorithms by size: there the whole image always warms up.
    if estimate < SLOW or device == "cuda":
        seconds(observation)
        estimate = seconds(observation)
    time_case(
        benchmark, lambda: method.restore(observation), kind="restore", what=name, subject=task_name, side=side,
        device=device, rounds=rounds_for(estimate),
    )  # fmt: skip
