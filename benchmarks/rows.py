"""Which rows a table has: a method, and in blind denoising also the method told the true σ."""

from __future__ import annotations

from dataclasses import dataclass

from datasets.errors import SuiteError, unknown
from datasets.task import Task
from methods.base import Method
from methods.registry import get_method, methods

TRUE_SIGMA = "@true-sigma"


@dataclass(frozen=True)
class Row:
    """One line of a table: a method, blind as the task has it or told σ."""

    method: str
    true_sigma: bool = False

    @property
    def label(self) -> str:
        """The name in records: `bm3d`, or `bm3d@true-sigma`."""
        return self.method + (TRUE_SIGMA if self.true_sigma else "")

    @staticmethod
    def parse(label: str) -> Row:
        """Read a label again."""
        return Row(label.removesuffix(TRUE_SIGMA), label.endswith(TRUE_SIGMA))

    def build(self) -> Method:
        """The method of the row."""
        return get_method(self.method)

    @property
    def oracle(self) -> bool:
        """True if the row is told something an honest method is not: the clean image, or a σ that is hidden."""
        return self.true_sigma or methods()[self.method].oracle


def available(task: Task) -> tuple[list[Row], dict[str, str]]:
    """Return every row that can run on the task, and for each method that is made for it but cannot run the reason."""
    rows, reasons = [], {}
    for name in methods():
        method = get_method(name)
        if task.name not in method.tasks:
            continue
        reason = method.supports(task)
        if reason is not None:
            reasons[name] = reason
            continue
        rows.append(Row(name))
        # An oracle's blind row would be an oracle without its knowledge: it always runs with the true σ.
        if task.blind and method.uses_sigma and not method.oracle:
            rows.append(Row(name, true_sigma=True))
    return rows, reasons


def select(task: Task, methods_argument: str, device: str = "cpu") -> tuple[list[Row], dict[str, str]]:
    """Read `--methods all` or `--methods a,b`.

    `all` takes what can run, but on the CPU not what runs only on request, and returns the reasons for the rest. A name
    of the list that does not exist or cannot run on the task is an error: the user asked for it.

    Raises:
        SuiteError: unknown method, one that does not support the task, or an empty list.
    """
    rows, reasons = available(task)
    if methods_argument == "all":
        left_out = {} if device != "cpu" else {row.method: reason for row in rows if (reason := _on_request(row))}
        return [row for row in rows if row.method not in left_out], reasons | left_out
    by_label = {row.label: row for row in rows}
    chosen: dict[str, Row] = {}
    for label in filter(None, (part.strip() for part in methods_argument.split(","))):
        if label in by_label:
            chosen[label] = by_label[label]
            told = label + TRUE_SIGMA
            if told in by_label:
                chosen[told] = by_label[told]
        elif label in methods():
            raise SuiteError(f"method '{label}' cannot run on {task.label}: {get_method(label).supports(task)}.")
        else:
            raise unknown("method", label, [*by_label, *reasons])
    if not chosen:
        raise SuiteError("--methods is empty: give 'all' or a comma-separated list; see `python -m methods list`.")
    return list(chosen.values()), {}


def _on_request(row: Row) -> str | None:
    reason = row.build().on_request
    return None if reason is None else f"{reason}; named in --methods, or on another device, it runs"
