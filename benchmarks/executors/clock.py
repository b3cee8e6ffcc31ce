"""The clock of a trial: seconds and peak memory of one call, on one thread.

On a CPU they are seconds of the processor: other work on the machine does not lengthen them. On another device they are
those of the wall clock, the device synchronised.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from benchmarks.executors.local import THREADS

X = TypeVar("X")
Y = TypeVar("Y")


def limit_threads() -> None:
    """Make this process compute on one thread."""
    import cv2

    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)


def clocked(function: Callable[[X], Y], given: X, device: str) -> tuple[Y, float, float | None]:
    """Call a function of one argument.

    Returns:
        its result, the seconds that it took (of the processor, on a CPU), and its peak memory above the start in MiB,
        or None where that cannot be measured.
    """
    clock = time.process_time if device == "cpu" else time.perf_counter
    _synchronise(device)
    memory = _PeakMemory(device)
    began = clock()
    result = function(given)
    _synchronise(device)
    return result, clock() - began, memory.read()


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


class _PeakMemory:
    """Peak memory above the start, MiB: of the CUDA allocator, or the resident set where Linux can reset its peak."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.cuda = device.startswith("cuda")
        self.start: float | None = None
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(device)
            self.start = torch.cuda.memory_allocated(device) / 2**20
        else:
            try:
                Path("/proc/self/clear_refs").write_text("5", "utf-8")
                self.start = self._status("VmRSS")
            except OSError:
                return

    @staticmethod
    def _status(name: str) -> float:
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith(name + ":"):
                return float(line.split()[1]) / 1024
        raise OSError(name)

    def read(self) -> float | None:
        """The peak so far, or None where it cannot be measured."""
        if self.start is None:
            return None
        if self.cuda:
            return torch.cuda.max_memory_allocated(self.device) / 2**20 - self.start
        try:
            return max(0.0, self._status("VmHWM") - self.start)
        except OSError:
            return None
