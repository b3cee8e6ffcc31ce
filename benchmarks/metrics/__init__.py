"""Metrics, one per file: a new one is found by its file alone."""

from __future__ import annotations

from functools import cache

from benchmarks.metrics.base import Metric
from datasets.plugins import discover

__all__ = ["metrics"]


@cache
def metrics() -> dict[str, type[Metric]]:
    """Every metric by name."""
    return discover("benchmarks.metrics", Metric)  # type: ignore[type-abstract]
