"""Distribute items over an executor, and hand back outcomes as they come.

Any `concurrent.futures.Executor` will do: the engine takes a function that makes one, submits plain functions of
plain values, and never shares state. At most twice as many items as workers are under way, so that the order can
follow what was learned: rows of one image stay together (its reference features are computed once), the slowest
first (so that no worker is left with a long one at the end).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import groupby

from benchmarks.processes import local_processes
from benchmarks.records import Record
from benchmarks.worker import Item, Job, Outcome, work
from datasets.dataset import get_dataset

ExecutorFactory = Callable[[int], Executor]


class _Queue:
    """Pending items: image by image, and within an image the row with the longest known time first."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._groups = deque([list(group) for _, group in groupby(items, key=lambda item: item.images)])
        self._seconds: dict[str, float] = {}

    def learn(self, outcome: Outcome) -> None:
        self._seconds[outcome.item.row.label] = outcome.restore_seconds

    def pop(self) -> Item | None:
        while self._groups and not self._groups[0]:
            self._groups.popleft()
        if not self._groups:
            return None
        group = self._groups[0]
        item = max(group, key=lambda item: self._seconds.get(item.row.label, float("inf")))
        group.remove(item)
        return item


def execute(
    job: Job, items: Iterable[Item], jobs: int = 1, make_executor: ExecutorFactory = local_processes
) -> Iterator[Outcome]:
    """Run items and yield their outcomes in the order in which they end.

    If a worker process dies (killed, out of memory, a crash in compiled code), the items that were under way are run
    again one at a time, each in a process of its own; one that kills its process again is an error record.
    """
    queue = _Queue(items)
    suspects: list[Item] = []
    executor = make_executor(jobs)
    running: dict[Future[Outcome], Item] = {}
    try:
        while True:
            while len(running) < 2 * jobs and (item := queue.pop()) is not None:
                running[executor.submit(work, job, item)] = item
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
                del running[future]
                queue.learn(outcome)
                yield outcome
            yield from (_alone(job, suspects.pop(0), make_executor) for _ in range(len(suspects)))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _alone(job: Job, item: Item, make_executor: ExecutorFactory) -> Outcome:
    with make_executor(1) as executor:
        try:
            return executor.submit(work, job, item).result()
        except BrokenExecutor:
            message = "the worker process died (out of memory, or a crash in compiled code)"
            name = get_dataset(job.dataset).name
            records = tuple(
                Record(task=job.task, dataset=name, image=image, method=item.row.label, error=message)
                for image in item.images
            )
            return Outcome(item, records, 0.0, 0.0, 0.0)
