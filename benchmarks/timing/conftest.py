"""One thread, as in the benchmark's workers."""

from __future__ import annotations

from benchmarks.worker import limit_threads

limit_threads()
