"""The settings of a process that times: light to import, since libraries read them when they are imported."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.executors.local import THREAD_VARIABLES, THREADS

KERNELS = "NUMBA_CACHE_DIR"


@contextmanager
def alone() -> Iterator[None]:
    """Compute on one thread, and let every kernel be compiled anew, so that the seconds it takes can be told.

    To be entered before numpy and torch are imported. `clock.Turns.threads` tells whether all libraries kept to it.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {name: str(THREADS) for name in THREAD_VARIABLES} | {KERNELS: folder}
        from benchmarks.executors.clock import limit_threads

        limit_threads()
        yield
