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
    _let_checks_of_a_pair_follow_each_other(items)


def _let_checks_of_a_pair_follow_each_other(items: list[pytest.Item]) -> None:
    """The checks of a method on a task share its restorations and what it compiles, so one worker should have them."""
    first: dict[object, int] = {}
    places = []
    for place, item in enumerate(items):
        given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        pair = (item.path, given["name"], given["task"]) if {"name", "task"} <= given.keys() else item.nodeid
        places.append(first.setdefault(pair, place))
    items[:] = [item for _, item in sorted(zip(places, items, strict=True), key=lambda each: each[0])]
