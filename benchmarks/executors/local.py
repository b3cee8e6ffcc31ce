"""Worker processes of this machine. Light to import: the server starts before anything heavy is loaded."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

T = TypeVar("T")
THREADS = 1
"""Threads of a worker. One, always: sums then have one order, and so numbers equal whatever --jobs is."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SETTINGS = "RESTORATION_"
"""Prefix of the environment variables that the suite reads."""
ENGINES = {
    "local": ("benchmarks.executors.lanes", "LocalEngine"),
    "dask": ("benchmarks.executors.dask", "DaskEngine"),
}
"""Name of an engine → its module, imported when it is asked for, and its class."""
SETTLE = 0.5
"""Seconds after which a server that was killed is seen to be dead, so that the next process starts another."""
FORKSERVER = "forkserver" in multiprocessing.get_all_start_methods()


def _context() -> BaseContext:
    for name in THREAD_VARIABLES:
        os.environ[name] = str(THREADS)  # read by the libraries when they are imported
    context: BaseContext = multiprocessing.get_context("forkserver" if FORKSERVER else "spawn")
    if FORKSERVER:
        # One clean server imports everything once; its children start in milliseconds and inherit no threads.
        context.set_forkserver_preload(["benchmarks.executors.preload"])
    return context


def start_server() -> None:
    """Let the server of the workers start importing, in parallel with whatever the caller does next."""
    _context()
    if FORKSERVER:
        multiprocessing.forkserver.ensure_running()


def local_processes(jobs: int) -> Executor:
    """A pool of processes on this machine, each computing on one thread."""
    # The server may be older than what the caller has since set.
    settings = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    return _Pool(jobs, mp_context=_context(), initializer=prepare_process, initargs=(settings,))


class _Pool(ProcessPoolExecutor):
    """A pool that is broken, and no more than that, if the server of its processes dies while it starts one."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        try:
            return super().submit(fn, *args, **kwargs)
        except (EOFError, ConnectionError) as error:
            time.sleep(SETTLE)
            raise BrokenProcessPool("the server of the worker processes died") from error


def prepare_process(settings: dict[str, str]) -> None:
    """Run once in a new worker process: the parent's settings and plug-ins, no Ctrl-C of its own, no life after it.

    Args:
        settings: environment variables as the parent has them.
    """
    from datasets.catalog import plugin_modules

    for name in [name for name in os.environ if name.startswith(SETTINGS) and name not in settings]:
        del os.environ[name]
    os.environ.update(settings)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    with contextlib.redirect_stderr(io.StringIO()):  # the parent has named those that cannot be imported
        plugin_modules()


def _follow(sentinel: int) -> None:
    """End this process when its parent's end closes the sentinel (a killed parent cannot end its workers)."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
