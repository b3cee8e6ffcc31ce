"""Worker processes of this machine. Light to import: the server starts before anything heavy is loaded."""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.context import BaseContext

THREADS = 1
"""Threads of a worker. One, always: sums then have one order, and so numbers equal whatever --jobs is."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SETTINGS = "RESTORATION_"
"""Prefix of the environment variables that the suite reads."""
FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()


def _context() -> BaseContext:
    for name in THREAD_VARIABLES:
        os.environ[name] = str(THREADS)  # read by the libraries when they are imported
    context: BaseContext = multiprocessing.get_context("forkserver" if FORKSERVER else "spawn")
    if FORKSERVER:
        # One clean server imports everything once; its children start in milliseconds and inherit no threads.
        context.set_forkserver_preload(["benchmarks.preload"])
    return context


def start_server() -> None:
    """Let the server of the workers start importing, in parallel with whatever the caller does next."""
    _context()
    if FORKSERVER:
        multiprocessing.forkserver.ensure_running()


def local_processes(jobs: int) -> Executor:
    """A pool of processes on this machine, each computing on one thread."""
    from benchmarks.worker import prepare_process

    # The server may be older than what the caller has since set.
    settings = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    return ProcessPoolExecutor(jobs, mp_context=_context(), initializer=prepare_process, initargs=(settings,))
