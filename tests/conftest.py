"""Which tests run: slow ones with --slow, real-data ones where the data is."""

from __future__ import annotations

import os

import pytest

from benchmarks.executors.clock import limit_threads

# As in the benchmark's own workers: results are the same bits everywhere, and parallel tests do not fight for cores.
limit_threads()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: give --slow to run it"))
        if "realdata" in item.keywords and not os.environ.get("RESTORATION_MIRROR"):
            item.add_marker(pytest.mark.skip(reason="real data: set RESTORATION_MIRROR to a local mirror to run it"))
