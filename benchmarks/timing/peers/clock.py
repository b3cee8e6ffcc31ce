"""Two calls timed in turn in one process, in seconds of the processor: other work on the machine does not count."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from methods.classic.kernels import installed

SHORTEST = 0.02
"""Seconds that one round takes at least: a shorter call is made several times."""
BUDGET = 20.0
"""Seconds that the rounds of both sides may take together, beyond the least number of rounds."""
LEAST_ROUNDS = 2
SEVERAL = 1.1
"""From here on of `Turns.threads`, a call was not on one thread."""
COMPILE = "numba:compile"

SLOW = 1.0
"""Seconds from which on a first call tells about how long the next will take: imports and tables take less."""

T = TypeVar("T")
Call = Callable[[], object]


@dataclass(frozen=True)
class Turns:
    """Seconds of the processor per call, round by round: first ours, then theirs.

    Attributes:
        threads: seconds of all threads in those of the calling one, of the call that had most; 1 is one thread. It does
            not depend on what else the machine does.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    threads: float

    @property
    def rounds(self) -> int:
        return len(self.ours)

    @property
    def medians(self) -> tuple[float, float]:
        """Ours and theirs."""
        return statistics.median(self.ours), statistics.median(self.theirs)

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes, by the medians; over 1: ours ahead."""
        ours, theirs = self.medians
        return theirs / ours

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the largest ratio of a round."""
        ratios = [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        return min(ratios), max(ratios)


@dataclass(frozen=True)
class Warm(Generic[T]):
    """A call that has been made.

    Attributes:
        result: what it gave.
        estimate: about how many seconds it takes.
        compiled: seconds that its kernels took to compile; 0 where nothing was compiled.
    """

    call: Callable[[], T]
    result: T
    estimate: float
    compiled: float


def warm(call: Callable[[], T]) -> Warm[T]:
    """Make a first call, or two if it is short."""
    with compiling() as compiled:
        began = time.process_time()
        result = call()
        estimate = time.process_time() - began - compiled.seconds
    return Warm(call, result, estimate if estimate > SLOW else _seconds(call, 1)[0], compiled.seconds)


def in_turn(ours: Warm[T], theirs: Warm[T], rounds: int) -> Turns:
    """Time two calls in turn.

    Args:
        rounds: at most; fewer of slow calls (`BUDGET`), but two unless one is asked for.
    """
    estimates = [max(side.estimate, 1e-6) for side in (ours, theirs)]
    afford = max(min(LEAST_ROUNDS, rounds), min(rounds, int(BUDGET / sum(estimates))))
    first, second = (max(1, math.ceil(SHORTEST / estimate)) for estimate in estimates)
    times = [(_seconds(ours.call, first), _seconds(theirs.call, second)) for _ in range(afford)]
    threads = max(share for pair in times for _, share in pair)
    return Turns(tuple(pair[0][0] for pair in times), tuple(pair[1][0] for pair in times), threads)


def _seconds(call: Call, count: int) -> tuple[float, float]:
    """Return the processor's seconds of one of so many calls, and `Turns.threads`."""
    began, began_here = time.process_time(), time.thread_time()
    for _ in range(count):
        call()
    spent, spent_here = time.process_time() - began, time.thread_time() - began_here
    return spent / count, spent / max(spent_here, 1e-9)


@dataclass
class Compiling:
    """Seconds of the processor spent compiling kernels."""

    seconds: float = 0.0
    _began: list[float] = field(default_factory=list)

    def on_start(self) -> None:
        self._began.append(time.process_time())

    def on_end(self) -> None:
        passed = time.process_time() - self._began.pop()
        if not self._began:  # a kernel that another calls is compiled inside of that one's time
            self.seconds += passed


@contextmanager
def compiling() -> Iterator[Compiling]:
    """Count the seconds that numba compiles meanwhile; none where there is no numba, or the code is on disk already."""
    counted = Compiling()
    if not installed():
        yield counted
        return
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: object) -> None:
            counted.on_start()

        def on_end(self, event: object) -> None:
            counted.on_end()

    with event.install_listener(COMPILE, Listener()):
        yield counted
