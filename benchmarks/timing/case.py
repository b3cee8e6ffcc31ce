"""A timed case: synchronised, repeated within a budget, and beside a reference kernel timed at the same moment."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

DEVICES = ("cpu", "cuda")
SIDES = (256, 320)
BUDGET = 0.8
"""Seconds that the rounds of one case may take together; there is always one round."""
MOST_ROUNDS = 10
REFERENCE_CALLS = 3


def require(device: str) -> None:
    """Skip the test if the device is not on this machine."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


@cache
def reference_kernel(device: str) -> Callable[[], Tensor]:
    """Return a fixed float32 mix of what restoration is made of: convolution, FFT, matrix product, elementwise.

    About 15 ms on a core of 2024. The work is the same on every device.
    """
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random).to(device)

    maps, weight, matrix, image = draw(1, 32, 128, 128), draw(32, 32, 3, 3), draw(512, 512), draw(4, 256, 256)

    def kernel() -> Tensor:
        convolved = torch.nn.functional.conv2d(maps, weight, padding=1)
        spectrum = torch.fft.rfft2(image)
        smooth = torch.fft.irfft2(spectrum * spectrum.abs().add(1).reciprocal())
        return convolved.sum() + (matrix @ matrix).sum() + torch.exp(-smooth.square()).sum()

    return kernel


def reference_seconds(device: str, clock: Callable[[], float]) -> float:
    """Return the mean seconds of a few calls of the reference kernel."""
    kernel = reference_kernel(device)
    kernel()
    synchronise(device)
    began = clock()
    for _ in range(REFERENCE_CALLS):
        kernel()
    synchronise(device)
    return (clock() - began) / REFERENCE_CALLS


def relative_seconds(rounds: Sequence[float], references: Sequence[float]) -> float:
    """Return the median over the rounds of seconds in units of the reference kernel's, before and after each.

    Args:
        rounds: seconds of n rounds.
        references: of the reference kernel, n + 1: one before every round and one after the last. A machine that is
            slow for a while slows a round and its neighbours alike, where the quickest of each need not meet.
    """
    around = zip(rounds, pairwise(references), strict=True)
    return statistics.median(2 * seconds / (before + after) for seconds, (before, after) in around)


def rounds_for(estimate: float) -> int:
    """Return how many rounds of about `estimate` seconds are timed."""
    return max(1, min(MOST_ROUNDS, int(BUDGET / max(estimate, 1e-9))))


def time_case(
    benchmark: BenchmarkFixture,
    run: Callable[[], object],
    *,
    kind: str,
    what: str,
    subject: str = "",
    side: int = 0,
    device: str = "cpu",
    rounds: int,
) -> None:
    """Time `run`, which must be warm, and note what it was and its seconds in units of the reference kernel.

    Args:
        kind: of work: restore, metric, inversion, runner.
        what: what is compared within a group: a method, a metric.
        subject: what it is done on: a task.
        side: of the square image, 0 if there is none.
        rounds: how often.
    """
    clock = benchmark._timer
    size = f"{side}×{side}" if side else ""
    benchmark.group = " ".join(filter(None, (kind, subject, size, device)))

    def synchronised() -> None:
        run()
        synchronise(device)

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
    references: list[float] = []

    def refer() -> None:
        references.append(reference_seconds(device, clock))

    with torch.no_grad():
        benchmark.pedantic(synchronised, setup=refer, rounds=rounds)
    refer()
    benchmark.extra_info |= {"kind": kind, "what": what, "subject": subject, "side": side, "device": device}
    if benchmark.stats is not None:  # None under --benchmark-disable
        benchmark.extra_info["relative"] = relative_seconds(benchmark.stats.stats.data, references)
    if device == "cuda":
        benchmark.extra_info["card"] = torch.cuda.get_device_name()
        benchmark.extra_info["peak_mb"] = (torch.cuda.max_memory_allocated() - held) / 2**20
