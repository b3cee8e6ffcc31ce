"""`python -m methods list`: every method with its tasks, whether it is decoupled, and its source."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.table import Table

from datasets.cli import console, guarded
from datasets.task import get_task
from methods.registry import get_method, methods


def listing(task: str | None = None) -> Table:
    """The table of methods; with a task, only those made for it.

    Raises:
        SuiteError: unknown task.
    """
    if task is not None:
        get_task(task)
    table = Table(title="Restoration methods", title_justify="left", header_style="bold", show_lines=True)
    for head in ("name", "what it does", "tasks", "φ known", "source"):
        table.add_column(head, overflow="fold", no_wrap=head == "name")
    for name in methods():
        method = get_method(name)
        if task is not None and task not in method.tasks:
            continue
        known = ("yes" if method.decoupled else "no") + (", oracle" if method.oracle else "")
        reasons = sorted({reason for t in method.tasks if (reason := method.supports(get_task(t))) is not None})
        summary = method.summary + "".join(f" [yellow](not now: {reason})[/yellow]" for reason in reasons)
        table.add_row(name, summary, "\n".join(method.tasks), known, method.citation)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m methods", description="What can be compared.")
    p.add_argument("command", choices=["list"])
    p.add_argument("--task", help="only methods made for this task")
    arguments = p.parse_args(argv)
    console().print(listing(arguments.task))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
