"""Progress of a run: a live bar with the time left in a terminal, a line every tenth of the work elsewhere."""

from __future__ import annotations

import sys
import time

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.trial import Outcome
from datasets.cli import console


class Live:
    """Shows how many results are there.

    Args:
        total: how many there will be.
        verb: what is done, as in `3/10 restored`.
    """

    def __init__(self, total: int, verb: str = "restored") -> None:
        self.total, self.verb, self.done, self.errors = total, verb, 0, 0
        self.began = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console(),
            disable=not sys.stdout.isatty(),
            transient=True,
        )
        self.task = self.bar.add_task("", total=total)

    def __enter__(self) -> Live:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.errors += sum(bool(record.error) for record in outcome.records)
        self.count(len(outcome.records), f"{outcome.row} on {outcome.images[0]}")

    def count(self, number: int, last: str) -> None:
        """Count so many results; `last` says what the last of them was."""
        before, self.done = self.done, self.done + number
        failed = f", {self.errors} failed" if self.errors else ""
        self.bar.update(self.task, completed=self.done, description=escape(f"{last[:44]:44}{failed}"))
        if self.bar.disable and self.done * 10 // self.total > before * 10 // self.total:
            left = (time.monotonic() - self.began) * (self.total - self.done) / self.done
            print(f"{self.done}/{self.total} {self.verb}{failed}, about {left:.0f} s left", flush=True)
