"""Order trials over executors, and hand back outcomes as they come.

Any `concurrent.futures.Executor` will do: a lane has a function that makes one, which is given a plain function of
plain objects, and never shares state. At most twice as many trials as workers are under way, so that the order can
follow what was learned: rows of one image stay together (its reference features are computed once), the slowest first
(so that no worker is left with a long one at the end).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import replace
from itertools import groupby

from benchmarks.executors.lanes import Crew, ExecutorFactory, Lane, LocalEngine
from benchmarks.executors.local import local_processes
from benchmarks.trial import Bench, Outcome, Trial, describe, failed, run_trial
from datasets.errors import SuiteError

DIED = "the worker process died (out of memory, or a crash in compiled code)"


class Queue:
    """Pending trials: image by image, and within an image the row with the longest known time first."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._groups = deque([list(group) for _, group in groupby(trials, key=lambda trial: trial.images)])
        self._seconds: dict[str, float] = {}

    def learn(self, outcome: Outcome) -> None:
        """Remember how long a row took."""
        self._seconds[outcome.row] = outcome.restore_seconds

    def pop(self) -> Trial | None:
        """Return the next trial, or None if there is none left."""
        while self._groups and not self._groups[0]:
            self._groups.popleft()
        if not self._groups:
            return None
        group = self._groups[0]
        trial = max(group, key=lambda trial: self._seconds.get(trial.row.label, float("inf")))
        group.remove(trial)
        return trial


def execute(
    bench: Bench, trials: Iterable[Trial], jobs: int = 1, make_executor: ExecutorFactory = local_processes
) -> Iterator[Outcome]:
    """Run trials on this machine; see `carry_out`."""
    asked = list(trials)
    with LocalEngine(make_executor).crew(bench, asked, jobs) as crew:
        yield from carry_out(crew, bench, asked)


def carry_out(crew: Crew, bench: Bench, trials: Iterable[Trial]) -> Iterator[Outcome]:
    """Run trials, each in the lane of its device, and yield their outcomes in the order in which they end.

    If a worker dies (killed, out of memory, a crash in compiled code), the trials that went down with it are run again
    when all others are done, one at a time, each in an executor of its own; one that kills its worker again is an error
    record.
    """
    asked = list(trials)
    desks = [_Desk(lane, bench, asked) for lane in crew.lanes]
    try:
        while True:
            for desk in desks:
                desk.fill()
            running = [future for desk in desks for future in desk.running]
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for desk in desks:
                yield from desk.take(done & desk.running.keys())
    finally:
        for desk in desks:
            desk.close()
    for desk in desks:
        yield from map(desk.alone, desk.suspects)


class _Desk:
    """The trials of one lane: pending, under way, and those whose worker died."""

    def __init__(self, lane: Lane, bench: Bench, trials: Iterable[Trial]) -> None:
        self.lane, self.bench = lane, replace(bench, device=lane.device)
        self.queue = Queue(trial for trial in trials if trial.row.device(bench.device) == lane.device)
        self.running: dict[Future[Outcome], Trial] = {}
        self.suspects: list[Trial] = []
        self.executor = lane.make(lane.workers)

    def fill(self) -> None:
        """Let as many trials be under way as the lane is wide."""
        width = self.lane.width()
        while len(self.running) < width and (trial := self.queue.pop()) is not None:
            self.running[self._submit(trial)] = trial

    def _submit(self, trial: Trial) -> Future[Outcome]:
        try:
            return self.executor.submit(run_trial, self.bench, trial)
        except BrokenExecutor:  # a pool of processes falls with one of them
            self.close()
            self.executor = self.lane.make(self.lane.workers)
        try:
            return self.executor.submit(run_trial, self.bench, trial)
        except BrokenExecutor as error:
            broken: Future[Outcome] = Future()
            broken.set_exception(error)
            return broken

    def take(self, done: Collection[Future[Outcome]]) -> Iterator[Outcome]:
        """Yield the outcomes of trials that have ended."""
        for future in done:
            trial = self.running.pop(future)
            try:
                outcome = future.result()
            except BrokenExecutor:
                self.suspects.append(trial)
                continue
            except SuiteError:
                raise
            except Exception as error:  # what cannot travel to a worker, such as a method with a lambda in it
                outcome = failed(self.bench, trial, describe(error))
            self.queue.learn(outcome)
            yield outcome

    def alone(self, trial: Trial) -> Outcome:
        """Return the outcome of a trial that is run in an executor of its own."""
        with self.lane.make(1) as executor:
            try:
                return executor.submit(run_trial, self.bench, trial).result()
            except BrokenExecutor:
                return failed(self.bench, trial, DIED)

    def close(self) -> None:
        """Let go of the executor; what is under way is not waited for."""
        self.executor.shutdown(wait=False, cancel_futures=True)
