"""One thread, as in the benchmark's workers; and nothing about whose machine it was."""

from __future__ import annotations

from typing import Any

from benchmarks.executors.clock import limit_threads
from benchmarks.folder.provenance import versions

limit_threads()


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Drop the machine's name and add the versions that speed depends on."""
    machine_info.pop("node", None)
    machine_info["versions"] = versions()
