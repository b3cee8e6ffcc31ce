"""Order trials over an executor, and hand back outcomes as they come.

Any `concurrent.futures.Executor` will do: the queue takes a function that makes one, submits a plain function of plain
objects, and never shares state. At most twice as many trials as workers are under way, so that the order can follow
what was learned: rows of one image stay together (its reference features are computed once), the slowest first (so that
no worker is left with a long one at the end).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import groupby

from benchmarks.executors.local import local_processes
from benchmarks.trial import Bench, Outcome, Trial, describe, failed, run_trial
from datasets.errors import SuiteError

ExecutorFactory = Callable[[int], Executor]
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
    """Run trials and yield their outcomes in the order in which they end.

    If a worker process dies (killed, out of memory, a crash in compiled code), the trials that were under way are run
    again one at a time, each in a process of its own; one that kills its process again is an error record.
    """
    queue = Queue(trials)
    suspects: list[Trial] = []
    executor = make_executor(jobs)
    running: dict[Future[Outcome], Trial] = {}
    try:
        while True:
            while len(running) < 2 * jobs and (trial := queue.pop()) is not None:
                running[executor.submit(run_trial, bench, trial)] = trial
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    outcome = future.result()
                except BrokenExecutor:
                    suspects.extend(running.values())
                    running.clear()
                    executor.shutdown(wait=False, cancel_futures=True)
                    executor = make_executor(jobs)
                    break
                except SuiteError:
                    raise
                except Exception as error:  # what cannot travel to a worker, such as a method with a lambda in it
                    outcome = failed(bench, running[future], describe(error))
                del running[future]
                queue.learn(outcome)
                yield outcome
            yield from (_alone(bench, suspects.pop(0), make_executor) for _ in range(len(suspects)))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _alone(bench: Bench, trial: Trial, make_executor: ExecutorFactory) -> Outcome:
    with make_executor(1) as executor:
        try:
            return executor.submit(run_trial, bench, trial).result()
        except BrokenExecutor:
            return failed(bench, trial, DIED)
