"""A timed case: synchronised, repeated within a budget, and beside a reference kernel timed at the same moment."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import ClassVar

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

SIDES = (256, 320)
BUDGET = 0.8
"""Seconds that the rounds of one case may take together; there is always one round."""
MOST_ROUNDS = 10
REFERENCE_CALLS = 3


class Device:
    """A kind of device as the clock sees it; this one is the CPU, whose memory is not counted."""

    name: ClassVar[str] = "cpu"
    place: ClassVar[str] = "cpu"
    """Where torch makes tensors."""
    counts: ClassVar[bool] = False
    """True if the device counts what is allocated on it."""

    @property
    def missing(self) -> str | None:
        """None if the device is on this machine, or the reason why it cannot be used."""
        return None

    @property
    def card(self) -> str | None:
        """The name of the card, if it is one."""
        return None

    def synchronise(self) -> None:
        """Wait until the device has done what it was given."""

    def allocated(self) -> int:
        """Return the bytes that tensors hold now, and begin to look for the peak anew."""
        return 0

    def peak(self) -> int:
        """Return the most bytes that tensors held at once since `allocated` was asked for."""
        return 0


class Cuda(Device):
    """A CUDA card."""

    name: ClassVar[str] = "cuda"
    place: ClassVar[str] = "cuda"
    counts: ClassVar[bool] = True

    @property
    def missing(self) -> str | None:
        return None if torch.cuda.is_available() else "no CUDA device on this machine"

    @property
    def card(self) -> str | None:
        return torch.cuda.get_device_name()

    def synchronise(self) -> None:
        torch.cuda.synchronize()

    def allocated(self) -> int:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()

    def peak(self) -> int:
        return torch.cuda.max_memory_allocated()


KINDS: dict[str, Device] = {"cpu": Device(), "cuda": Cuda()}
DEVICES = tuple(KINDS)


def require(device: str) -> None:
    """Skip the test if the device is not on this machine."""
    missing = KINDS[device].missing
    if missing is not None:
        pytest.skip(missing)


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given."""
    KINDS[device].synchronise()


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


def reference_seconds(device: Device, clock: Callable[[], float]) -> float:
    """Return the mean seconds of a few calls of the reference kernel."""
    kernel = reference_kernel(device.place)
    kernel()
    device.synchronise()
    began = clock()
    for _ in range(REFERENCE_CALLS):
        kernel()
    device.synchronise()
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
    device: str | Device = "cpu",
    rounds: int,
) -> None:
    """Time `run`, which must be warm, and note what it was and its seconds in units of the reference kernel.

    Args:
        kind: of work: restore, metric, inversion, runner.
        what: what is compared within a group: a method, a metric.
        subject: what it is done on: a task.
        side: of the square image, 0 if there is none.
        device: where the work is done.
        rounds: how often.

    Raises:
        RuntimeError: the device counts its memory and no round allocated any: the work was done elsewhere.
    """
    there = KINDS[device] if isinstance(device, str) else device
    clock = benchmark._timer
    size = f"{side}×{side}" if side else ""
    benchmark.group = " ".join(filter(None, (kind, subject, size, there.name)))
    references: list[float] = []
    held: list[int] = []
    peaks: list[int] = []

    def synchronised() -> None:
        run()
        there.synchronise()

    def close() -> None:
        """What the round that is over has allocated; the reference kernel's memory must not count."""
        if held:
            peaks.append(there.peak() - held.pop())

    def refer() -> None:
        close()
        references.append(reference_seconds(there, clock))
        held.append(there.allocated())

    with torch.no_grad():
        benchmark.pedantic(synchronised, setup=refer, rounds=rounds)
    refer()
    if there.counts and max(peaks) <= 0:
        raise RuntimeError(f"{what} is timed on {there.name} and allocated nothing there: it computes elsewhere")
    benchmark.extra_info |= {"kind": kind, "what": what, "subject": subject, "side": side, "device": there.name}
    if benchmark.stats is not None:  # None under --benchmark-disable
        benchmark.extra_info["relative"] = relative_seconds(benchmark.stats.stats.data, references)
    if there.counts:
        benchmark.extra_info |= {"card": there.card, "peak_mb": max(peaks) / 2**20}
