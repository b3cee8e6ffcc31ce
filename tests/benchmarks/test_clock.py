"""The clock of a trial."""

from __future__ import annotations

import time

from benchmarks.executors.clock import clocked


def test_waiting_is_not_counted_on_a_cpu() -> None:
    _, seconds, _ = clocked(time.sleep, 0.2, "cpu")
    assert 0 <= seconds < 0.05


def test_work_is_counted() -> None:
    def work(least: float) -> float:
        began = time.process_time()
        while time.process_time() - began < least:
            pass
        return least

    result, seconds, _ = clocked(work, 0.1, "cpu")
    assert result == 0.1
    assert 0.1 <= seconds < 0.2
