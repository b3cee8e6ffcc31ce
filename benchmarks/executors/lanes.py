"""Lanes: the workers of one kind of device, and the engines that provide them.

A trial belongs to the lane of the device that its row computes on. A run on a GPU has two lanes, so that rows that know
the CPU alone do not stand in the queue of the GPU: their restorations are computed, timed and scored on the CPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.executors.local import ENGINES, local_processes
from benchmarks.folder import provenance
from benchmarks.trial import Bench, Trial
from datasets.errors import SuiteError

CPU = "cpu"
AHEAD = 2
"""Trials under way for each worker: the next one waits beside the one that is computed."""
ExecutorFactory = Callable[[int], Executor]


@dataclass(frozen=True)
class Lane:
    """Workers that compute on one device.

    Attributes:
        device: as a bench has it.
        workers: how many there are.
        make: makes an executor of so many workers.
    """

    device: str
    workers: int
    make: ExecutorFactory

    def width(self) -> int:
        """How many trials are to be under way now."""
        return AHEAD * self.workers


@dataclass(frozen=True)
class Crew:
    """The workers of a run.

    Attributes:
        hardware: what they compute on, as `benchmarks.folder.provenance.hardware` says it.
    """

    lanes: tuple[Lane, ...] = ()
    hardware: Mapping[str, object] = field(default_factory=dict)

    @property
    def workers(self) -> int:
        """How many there are in all lanes."""
        return sum(lane.workers for lane in self.lanes)


class Engine(Protocol):
    """Where trials are computed."""

    def device(self, name: str) -> str:
        """Turn `auto` into a device of the workers, and check any other name.

        Raises:
            SuiteError: there is no such device.
        """

    def crew(self, bench: Bench, trials: Sequence[Trial], jobs: int | None) -> AbstractContextManager[Crew]:
        """Provide the workers for trials; without trials there are none.

        Args:
            jobs: workers on the CPU; None: one for each core.

        Raises:
            SuiteError: a lane with work would have no worker, or the workers are not fit for it.
        """


def devices_of(trials: Sequence[Trial], device: str) -> list[str]:
    """Return the devices that have work, the run's own first."""
    found = {trial.row.device(device) for trial in trials}
    return sorted(found, key=lambda each: each != device)


def workers_for(devices: Sequence[str], jobs: int | None) -> dict[str, int]:
    """Return how many processes of this machine compute on each device.

    One for a GPU, which is fed by a core of its own; on the CPU `jobs`, or one for each core that is left.
    """
    left = max(1, provenance.cores() - sum(device != CPU for device in devices))
    return {device: (jobs or left) if device == CPU else 1 for device in devices}


@dataclass(frozen=True)
class LocalEngine:
    """Processes of this machine.

    Attributes:
        make: makes the `concurrent.futures` executor of a lane.
    """

    make: ExecutorFactory = local_processes

    @classmethod
    def told(cls, scheduler: str | None, wait: float | None) -> LocalEngine:
        """Make the engine that a command line asks for.

        Raises:
            SuiteError: it names a scheduler, or how long to wait for one.
        """
        if scheduler is not None or wait is not None:
            raise SuiteError(
                f"--{'wait' if scheduler is None else 'scheduler'} belongs to a cluster: add --engine dask."
            )
        return cls()

    def device(self, name: str) -> str:
        """See `Engine`."""
        return provenance.resolve_device(name)

    @contextmanager
    def crew(self, bench: Bench, trials: Sequence[Trial], jobs: int | None) -> Iterator[Crew]:
        """See `Engine`."""
        workers = workers_for(devices_of(trials, bench.device), jobs)
        lanes = tuple(Lane(device, number, self.make) for device, number in workers.items())
        yield Crew(lanes, provenance.hardware(bench.device))


def engine(name: str, scheduler: str | None = None, wait: float | None = None) -> Engine:
    """Return the engine that a command line asks for.

    Args:
        scheduler, wait: see `benchmarks.executors.dask.DaskEngine`.

    Raises:
        SuiteError: what it needs is not installed, or an option does not belong to it or is wrong.
    """
    module, attribute = ENGINES[name]
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise SuiteError(
            f"--engine {name} needs the package {error.name}: pip install 'restoration-benchmarks[{name}]'."
        ) from error
    made: Engine = cls.told(scheduler, wait)
    return made
