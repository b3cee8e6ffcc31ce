"""Workers of a dask.distributed cluster, or without an address a cluster of this machine.

Every worker computes on one thread and is compared with the client before it is given work. In a run on a GPU a worker
says by its resources what it is for: GPU=1, CPU=1, or both.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.scheduler import KilledWorker

from benchmarks.executors import local
from benchmarks.executors.cluster import CLOSE, GO_ON, Cluster, Offers, settle
from benchmarks.executors.lanes import AHEAD, CPU, Crew, Lane, devices_of, workers_for
from benchmarks.executors.worker import Files, work, write
from benchmarks.folder import provenance
from benchmarks.trial import Bench, Outcome, Trial, describe
from datasets.errors import SuiteError
from datasets.files import expanded

CONNECT = 10
"""Seconds in which a scheduler must answer."""
WAIT = 60.0
"""Seconds to wait for a worker, unless --wait says another number."""
HERE = "127.0.0.1"
RESOURCES = {"cuda": "GPU", CPU: "CPU"}
"""Kind of device → the resource that its workers offer."""
LOUD = ("distributed", "tornado", "asyncio")
"""Loggers that would tell of a lost worker in many lines."""


@dataclass(frozen=True)
class DaskEngine:
    """A cluster.

    Attributes:
        scheduler: its address, or its file; None: a cluster of this machine, for this run alone.
        wait: seconds to wait for a worker, at the start and when the last one has gone.
    """

    scheduler: str | None = None
    wait: float = WAIT

    @classmethod
    def told(cls, scheduler: str | None, wait: float | None) -> DaskEngine:
        """Make the engine that a command line asks for.

        Raises:
            SuiteError: there is no such scheduler file, or the wait is negative.
        """
        if scheduler is not None and ":" not in scheduler and not expanded(scheduler).is_file():
            raise SuiteError(f"--scheduler {scheduler} is neither an address (tcp://HOST:8786) nor a scheduler file.")
        if wait is not None and not wait >= 0:
            raise SuiteError(f"--wait {wait:g} is out of range: give 0 seconds or more.")
        return cls(scheduler, WAIT if wait is None else wait)

    def device(self, name: str) -> str:
        """See `Engine`. The workers of a scheduler may have a GPU where this machine has none."""
        if self.scheduler is None:
            return provenance.resolve_device(name)
        if name not in ("auto", *RESOURCES):
            raise SuiteError(f"--device {name}: which card it is, the worker of a cluster decides; give cpu or cuda.")
        return CPU if name == "auto" else name

    @contextmanager
    def crew(self, bench: Bench, trials: Sequence[Trial], jobs: int | None) -> Iterator[Crew]:
        """See `Engine`."""
        if self.scheduler is not None and jobs is not None:
            raise SuiteError("--jobs is for this machine: leave it out, a cluster computes with all of its workers.")
        if not trials:
            yield Crew()
            return
        devices = devices_of(trials, bench.device)
        offers = {each: {} if bench.device == CPU else {RESOURCES[each.split(":")[0]]: 1.0} for each in devices}
        own = (
            _own_cluster(workers_for(devices, jobs), offers) if self.scheduler is None else nullcontext(self.scheduler)
        )
        with _quiet(), own as address, _connected(address) as client:
            cluster = Cluster(client, self.scheduler, self.wait, bench, trials, offers)
            if not cluster.own and (times := _repeats(client)):
                print(f"  The scheduler gives a trial that killed its worker to {times} more: start it with "
                      "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0, so that it kills none of them.")  # fmt: skip
            with cluster.watched():
                yield Crew(tuple(_lane(cluster, device) for device in devices), cluster.hardware())


@contextmanager
def _quiet() -> Iterator[None]:
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in LOUD]
    levels = {name: logging.getLogger(name).level for name in (*LOUD, *names)}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _own_cluster(workers: Mapping[str, int], offers: Offers) -> Iterator[str]:
    """Start a cluster on this machine and yield its address."""
    # A client that could not connect closes itself when collected: amid the start of a loop it would wait for ever.
    gc.collect()
    local.start_server()  # its children have the suite imported when they start
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.multiprocessing-method": "forkserver" if local.FORKSERVER else "spawn",
        "distributed.worker.profile.enabled": False,
    }
    threads = dict.fromkeys(local.THREAD_VARIABLES, str(local.THREADS))
    common = {"nthreads": local.THREADS, "memory_limit": 0, "host": HERE, "dashboard": False, "env": threads}
    spec = {
        f"{device}-{number}": {
            "cls": Nanny,
            "options": {**common, "resources": dict(offers[device]), "silence_logs": logging.CRITICAL},
        }
        for device, count in workers.items()
        for number in range(count)
    }
    # Without an address its HTTP server takes one fixed port, and a second run beside this one warns of it.
    server = {"dashboard": False, "dashboard_address": f"{HERE}:0"}
    scheduler = {"cls": Scheduler, "options": {"host": HERE, "port": 0, **server}}
    with dask.config.set(settings):
        cluster = SpecCluster(workers=spec, scheduler=scheduler, silence_logs=False)
        try:
            yield cluster.scheduler_address
        finally:
            with suppress(Exception):
                cluster.close(timeout=CLOSE)


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    """Connect to a scheduler.

    Raises:
        SuiteError: it does not answer, or is of another version.
    """
    is_file = expanded(scheduler).is_file()
    where: dict[str, Any] = {"scheduler_file": str(expanded(scheduler))} if is_file else {"address": scheduler}
    try:
        client = Client(**where, timeout=CONNECT, set_as_default=False, name="restoration-benchmarks")
    except Exception as error:  # a wrong address, a damaged file, a refusal: each has an exception of its own
        raise SuiteError(
            f"the scheduler {scheduler} does not answer ({describe(error)}): check the address, and that it runs."
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):  # it may be gone
            client.close(timeout=CLOSE)


def _repeats(client: Client) -> int:
    """How often the scheduler itself repeats a trial that killed its worker; 0 if it does not say."""

    def allowed(dask_scheduler: Scheduler) -> int:  # it travels by value: a scheduler need not have the suite
        return int(dask_scheduler.allowed_failures)

    with suppress(Exception):
        return int(client.run_on_scheduler(allowed))
    return 0


@dataclass(frozen=True)
class ClusterLane(Lane):
    """Workers that come and go.

    Attributes:
        now: says how many there are.
    """

    now: Callable[[], int]

    def width(self) -> int:
        """How many trials are to be under way now."""
        return AHEAD * max(1, self.now())


def _lane(cluster: Cluster, device: str) -> Lane:
    now = partial(cluster.count, device)
    return ClusterLane(device, now(), lambda _: ClusterExecutor(cluster, device), now)


class ClusterExecutor(Executor):
    """Hands trials to the workers of one device."""

    def __init__(self, cluster: Cluster, device: str) -> None:
        self._cluster = cluster
        self._inner = cluster.client.get_executor(pure=False, resources=dict(cluster.offers[device]) or None)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Let a worker carry out a trial.

        Args:
            function: `benchmarks.trial.run_trial`; a worker knows no other.
            args: a bench and a trial.
        """
        promise = self._cluster.promise()
        try:
            order = self._cluster.order(*args)
        except Exception as error:  # it cannot travel
            settle(promise, error=error)
        if not promise.done():
            try:
                inner = self._inner.submit(work, order)
                inner.add_done_callback(lambda done: self._hand_over(done, promise))
            except Exception:
                settle(promise, error=self._lost())
        return promise

    def _hand_over(self, done: Future[tuple[Outcome, Files]], promise: Future[Outcome]) -> None:
        try:
            outcome, files = done.result()
            if files and self._cluster.bench.out is not None:
                write(self._cluster.bench.out, files)
            settle(promise, outcome)
        except KilledWorker as error:
            settle(promise, error=BrokenExecutor(str(error)))
        except CancelledError:
            settle(promise, error=self._lost())
        except BaseException as error:
            settle(promise, error=error)

    def _lost(self) -> SuiteError:
        return SuiteError(f"the scheduler {self._cluster.where} has gone away: start it again. {GO_ON}")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `concurrent.futures.Executor`; what is under way is cancelled unless it is waited for."""
        with suppress(Exception):  # there may be no scheduler any more
            self._inner.shutdown(wait=wait)
