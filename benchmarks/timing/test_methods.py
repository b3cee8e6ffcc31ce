"""Seconds of `restore` for every method × task on a 256×256 photograph: `tox run -e suite,timing`.

Groups are tasks, so that `pytest-benchmark compare --group-by=group` ranks the methods of one task.
"""

from __future__ import annotations

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from datasets.dataset import get_dataset
from datasets.task import Key, get_task, tasks
from methods.registry import get_method, methods

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
CASES = [(task, name) for task in tasks() for name in methods() if task in get_method(name).tasks]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("task_name", "name"), CASES)
def test_restore(benchmark: BenchmarkFixture, task_name: str, name: str, device: str) -> None:
    method, task = get_method(name), get_task(task_name)
    reason = method.supports(task)
    if reason is not None:
        pytest.skip(reason)
    if device == "cpu" and method.on_request is not None:
        pytest.skip(method.on_request)
    if device not in method.devices:
        pytest.skip(f"computes on {', '.join(method.devices)}")
    entry = get_dataset("photos").entries("test")[0]
    observation = task.degrade(entry.load(), Key(0, "photos", entry.name))
    if not method.oracle:
        observation = observation.without_truth()
    observation = observation.to(device)

    def restore() -> None:
        method.restore(observation)
        if device == "cuda":
            torch.cuda.synchronize()

    benchmark.group = f"{task_name} 256×256 {device}"
    with torch.inference_mode():
        benchmark.pedantic(restore, rounds=3, warmup_rounds=1)
