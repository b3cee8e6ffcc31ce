"""The workers of a dask.distributed scheduler during one run: compared with this machine, counted and watched."""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distributed import Client

from benchmarks.executors.local import THREAD_VARIABLES, THREADS
from benchmarks.executors.worker import Answer, Files, Order, Questions, identity, refusal, settings_here, vet
from benchmarks.folder.pictures import CLEAN, Pictures, file_name, image_folder
from benchmarks.rows import Row
from benchmarks.trial import Bench, Outcome, Trial, describe
from datasets.errors import SuiteError
from datasets.files import PARTIAL, write_atomically

TICK = 1.0
"""Seconds between two looks at the workers."""
CLOSE = 5
"""Seconds that closing may take."""
GO_ON = "Finished results are kept: run the same command again to go on."
Offers = Mapping[str, Mapping[str, float]]
"""Device → what a worker must offer to be given its trials; nothing in a run on the CPU."""


class Cluster:
    """The workers of a scheduler during one run: compared, counted, and watched for the last one to go."""

    def __init__(
        self, client: Client, where: str | None, wait: float, bench: Bench, trials: Sequence[Trial], offers: Offers
    ) -> None:
        """Name what there is.

        Args:
            where: the scheduler as the command line names it; None: one of this machine, with nothing to compare.
            wait: seconds in which each device must have a worker.
            trials: what is to be done.
            offers: what a worker must offer for each device.
        """
        self.client, self.wait, self.bench, self.offers = client, wait, bench, offers
        self.own = where is None
        self.where = where or "of this machine"
        self.failure: SuiteError | None = None
        self._run = uuid.uuid4().hex
        self.probe: tuple[Path, str] | None = None
        if bench.out is not None and not self.own:
            self.probe = bench.out / f".{self._run}{PARTIAL}", self._run
        self._settings = settings_here()
        self._answers: dict[str, Answer] = {}
        self._promises: set[Future[Outcome]] = set()
        self._over = threading.Event()
        compared = () if self.own else trials
        self._entries = {entry.name: entry for trial in compared for entry in trial.entries}
        self._rows = {trial.row.label: trial.row for trial in compared if _travels(trial.row)}
        self._expected = {} if self.own else self._identity(self._rows.values())
        self._of_row = {label: self._identity([row], images=False) for label, row in self._rows.items()}

    def _identity(self, rows: Iterable[Row], images: bool = True) -> dict[str, str]:
        found = identity(self.bench, rows, self._entries.values() if images else ())
        return found | dict.fromkeys(THREAD_VARIABLES, str(THREADS))

    def count(self, device: str) -> int:
        """How many workers compute on a device."""
        needed = self.offers[device].items()
        answers = list(self._answers.values())
        return sum(all(answer.resources.get(name, 0) >= number for name, number in needed) for answer in answers)

    def hardware(self) -> dict[str, object]:
        """The hardware of all hosts together."""
        hosts = {answer.host: answer.hardware for answer in self._answers.values()}
        names = dict.fromkeys(name for found in hosts.values() for name in found)
        joined = {name: {str(found[name]): None for found in hosts.values() if name in found} for name in names}
        cores = sum(int(str(found["cores"])) for found in hosts.values())
        return {**{name: ", ".join(sorted(values)) for name, values in joined.items()}, "cores": cores}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Wait for workers, compare them, and keep an eye on them.

        Raises:
            SuiteError: none came, or one is not as this machine.
        """
        self._wait_for_all()
        watch = threading.Thread(target=self._watch, daemon=True)
        try:
            if self.probe is not None:
                write_atomically(self.probe[0], self.probe[1].encode())
            watch.start()
            yield
        finally:
            self._over.set()
            if watch.ident is not None:
                watch.join(CLOSE)
            if self.probe is not None:
                self.probe[0].unlink(missing_ok=True)

    def _wait_for_all(self) -> None:
        """Return when each lane has a worker."""
        deadline = time.monotonic() + self.wait
        while True:
            self._survey()
            missing = [device for device in self.offers if not self.count(device)]
            if not missing:
                return
            if time.monotonic() >= deadline:
                raise self._nobody(missing[0])
            time.sleep(TICK / 5)

    def _nobody(self, device: str) -> SuiteError:
        offer = ",".join(f"{name}={number:g}" for name, number in self.offers[device].items())
        options = f' --resources "{offer}"' if offer else ""
        return SuiteError(
            f"no worker of the scheduler {self.where} computes on {device}, after {self.wait:g} s: start one by "
            f"`dask worker {self.where} --nthreads 1{options}`, or give --wait SECONDS. {GO_ON}"
        )

    def _survey(self) -> None:
        """Look which workers there are, and compare the new ones with this machine.

        Raises:
            SuiteError: one is not as this machine.
        """
        there = set(self.client.nthreads())
        for gone in self._answers.keys() - there:
            del self._answers[gone]
        new = sorted(there - self._answers.keys())
        if not new:
            return
        rows, entries = tuple(self._rows.values()), tuple(self._entries.values())
        asked = Questions(self.bench, rows, entries)
        order = Order(self._run, self._settings, pickle.dumps(asked), self._expected)
        answers = self.client.run(_ask, order, workers=new, on_error="return")
        for address, answer in answers.items():
            if isinstance(answer, OSError):
                continue  # it went away meanwhile
            if isinstance(answer, BaseException):
                raise SuiteError(refusal(address, describe(answer)))
            if answer.differs:
                raise SuiteError(refusal(answer.host, answer.differs))
            self._answers[address] = answer

    def _watch(self) -> None:
        """Let the run end with one line if it cannot go on: work for which there is nobody would wait for ever."""
        seen = dict.fromkeys(self.offers, time.monotonic())
        while not self._over.wait(TICK):
            try:
                self._survey()
            except SuiteError as error:
                self._fail(error)
            except Exception:
                continue  # the connection is lost: the futures tell
            for device in self.offers:
                if self.count(device):
                    seen[device] = time.monotonic()
                elif time.monotonic() - seen[device] > self.wait:
                    self._fail(self._nobody(device))

    def _fail(self, error: SuiteError) -> None:
        """Let everything that is under way end with an error."""
        self.failure = self.failure or error
        for promise in list(self._promises):
            settle(promise, error=error)

    def promise(self) -> Future[Outcome]:
        """Return a future that ends if the cluster fails."""
        promise: Future[Outcome] = Future()
        self._promises.add(promise)
        promise.add_done_callback(self._promises.discard)
        if self.failure is not None:
            settle(promise, error=self.failure)
        return promise

    def order(self, bench: Bench, trial: Trial) -> Order:
        """Return what a worker is sent of a trial."""
        expected = dict(self._of_row.get(trial.row.label, {}))
        if expected:
            expected |= {key: self._expected[key] for key in (f"image {name}" for name in trial.images)}
        files = {} if self.own else _known_features(bench, trial)
        return Order(self._run, self._settings, pickle.dumps((bench, trial)), expected, self.probe, files)


def _travels(row: Row) -> bool:
    try:
        pickle.dumps(row)
    except Exception:
        return False
    return True


def _known_features(bench: Bench, trial: Trial) -> Files:
    """The descriptions that the folder of a run has already, to which a trial adds its own."""
    if bench.out is None or not any(measure.of_set for measure in bench.measures):
        return {}
    folder = Pictures(bench.out).feature_folder
    paths = [
        image_folder(folder, image) / f"{file_name(row)}.npz"
        for image in trial.images
        for row in (trial.row.label, CLEAN)
    ]
    return {path.relative_to(bench.out).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def _ask(order: Order, dask_worker: Any) -> Answer:
    """Runs in a worker."""
    return vet(order, dask_worker.state.nthreads, dict(dask_worker.state.total_resources))


def settle(promise: Future[Outcome], outcome: Outcome | None = None, error: BaseException | None = None) -> None:
    """Give a promise its result or its error, unless it has one."""
    with suppress(InvalidStateError):
        if error is not None:
            promise.set_exception(error)
        elif outcome is not None:
            promise.set_result(outcome)
