"""Rows of a table: a method with its parameters, under a label, and what it is told of the noise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass

import torch

from benchmarks.folder.facts import RowFacts
from benchmarks.scores.measure import Measure
from datasets.catalog import METHODS
from datasets.errors import SuiteError
from datasets.fingerprint import fingerprint
from datasets.noise import Gaussian
from datasets.observation import Observation
from datasets.spec import Spec, labels_differ, parameters, parse_list
from datasets.task import Task
from methods.base import Method
from methods.registry import check

SIGMA = "sigma"
"""Key of the grammar that belongs to the row and not to the method."""
TRUE, HIDDEN = "true", "hidden"
OLD_TRUE = "@true-sigma"
"""How `[sigma=true]` was written before rows had parameters; still read."""
LARGEST_SIGMA = 255.0
RESERVED = ("clean", "degraded", "observation")
"""Names of files beside those of the rows."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        label: its alias, or its canonical spec.
        spec: text that makes the row again.
        sigma: what the method is told of σ. None: what the task tells; "true": the true one, even if the task hides
            it; "hidden": nothing, so that it must estimate; a number on the 0–255 scale: this, true or not.
    """

    label: str
    spec: str
    method: Method
    sigma: str | None = None

    @staticmethod
    def parse(text: str | Spec) -> Row:
        """Make the row that a spec means.

        Raises:
            SuiteError: an unknown method or parameter, a wrong value, or σ for a method that reads none.
        """
        given = parse_list(text, "methods")[0] if isinstance(text, str) else text
        if given.alias in RESERVED:
            raise SuiteError(f"a row cannot be called '{given.alias}': choose another alias.")
        if given.name.endswith(OLD_TRUE):
            name = given.name.removesuffix(OLD_TRUE)
            given = Spec(name, (*given.given, (SIGMA, TRUE)), given.alias)
        resolved = METHODS.resolve(given)
        check(METHODS.get(resolved.name))
        mine = SIGMA not in parameters(METHODS.get(resolved.name))
        sigma, bare = resolved.take(SIGMA) if mine else (None, resolved)
        method: Method = METHODS.build(bare)
        if sigma is not None:
            _check_sigma(sigma, method)
        told = () if sigma is None else ((SIGMA, sigma),)
        # An alias of the user's stands for the whole row; the name of a variant stands for the method alone.
        if given.alias is None and bare.alias is not None:
            label = str(Spec(bare.alias, told))
        else:
            canonical = parse_list(METHODS.label(bare, method))[0]
            label = given.alias or str(Spec(canonical.name, (*canonical.given, *told)))
        spec = Spec(bare.name, (*bare.given, *told))
        return Row(label, str(spec), method, sigma)

    @property
    def oracle(self) -> bool:
        """True if the row is told something an honest method is not: the clean image, or a σ that is hidden."""
        return self.sigma == TRUE or self.method.oracle

    def supports(self, task: Task) -> str | None:
        """Return None if the row can run on the task, or the reason why not."""
        return self.method.supports(task)

    def view(self, observation: Observation, device: str) -> Observation:
        """Return the observation as the row may see it, on the device that it computes on."""
        if self.sigma == TRUE or self.method.oracle:
            observation = observation.told()
        elif self.sigma is not None and self.sigma != HIDDEN:
            level = torch.full((len(observation),), float(self.sigma) / 255)
            observation = observation.told(Gaussian(level.to(observation.y)))
        elif self.sigma == HIDDEN:
            observation = Observation(observation.y, observation.operator, None, observation.truth)
        if not self.method.oracle:
            observation = observation.without_truth()
        return observation.to(self.device(device))

    def device(self, asked: str) -> str:
        """Return the device that the row computes on in a run on another: that one, or the CPU."""
        return asked if asked.split(":")[0] in self.method.devices else "cpu"

    def facts(self, task: Task, measures: Iterable[Measure]) -> RowFacts:
        """Return what a run folder keeps of the row: its fingerprint covers the task that degrades as well."""
        parts = (fingerprint(self.method), fingerprint(task), str(self.sigma))
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        metrics = {measure.name: fingerprint(measure.metric) for measure in measures}
        return RowFacts(self.spec, digest, self.oracle, metrics, self.method.remarks())


def _check_sigma(sigma: str, method: Method) -> None:
    if not method.uses_sigma:
        raise SuiteError(f"method '{method.name}' reads no σ: leave out [sigma={sigma}].")
    if sigma in (TRUE, HIDDEN):
        return
    try:
        good = 0 <= float(sigma) <= LARGEST_SIGMA
    except ValueError:
        good = False
    if not good:
        raise SuiteError(f"[sigma={sigma}] of method '{method.name}': give true, hidden, or a number from 0 to 255.")


def every_row() -> tuple[list[Row], dict[str, str]]:
    """Return a row for every method and every named variant, and for what is no whole row the reason."""
    rows, reasons = [], {}
    for name in METHODS.names():
        try:
            if name in METHODS.index() and _needs_more(name):
                continue  # stands in tables by its variants
            rows.append(Row.parse(name))
        except SuiteError as error:
            reasons[name] = str(error)
    return rows, reasons


def _needs_more(name: str) -> bool:
    return any(parameter.default is MISSING for parameter in parameters(METHODS.get(name)).values())


def available(task: Task) -> tuple[list[Row], dict[str, str]]:
    """Return every row that can run on the task, and for each that is made for it but cannot run the reason."""
    candidates, reasons = every_row()
    rows = []
    for row in candidates:
        if task.problem not in row.method.problems:
            continue
        reason = row.supports(task)
        if reason is not None:
            reasons[row.label] = reason
            continue
        rows += _with_told(row, task)
    return rows, reasons


def _with_told(row: Row, task: Task) -> list[Row]:
    """The row and, where σ is hidden from a method that reads it, the row that is told the true one."""
    # An oracle's blind row would be an oracle without its knowledge: it always runs with the true σ.
    if not task.blind or not row.method.uses_sigma or row.method.oracle or row.sigma is not None:
        return [row]
    return [row, Row.parse(_told(row))]


def _told(row: Row) -> Spec:
    spec = parse_list(row.label)[0]
    if spec.name in METHODS.names():
        return Spec(spec.name, (*spec.given, (SIGMA, TRUE)))
    made = parse_list(row.spec)[0]  # the user's alias: the second row needs a name of its own
    return Spec(made.name, (*made.given, (SIGMA, TRUE)), f"{row.label}[{SIGMA}={TRUE}]")


def select(task: Task, text: str, device: str = "cpu") -> tuple[list[Row], dict[str, str]]:
    """Read `--methods all` or a list of specs.

    `all` takes what can run, but on the CPU not what runs only on request, and returns the reasons for the rest. A row
    of the list that does not exist or cannot run on the task is an error: the user asked for it.

    Raises:
        SuiteError: unknown method, one that does not support the task, two rows of one label, or an empty list.
    """
    if text == "all":
        rows, reasons = available(task)
        left_out = {} if device != "cpu" else {row.label: reason for row in rows if (reason := _on_request(row))}
        return [row for row in rows if row.label not in left_out], reasons | left_out
    named: list[Row] = []
    for spec in parse_list(text, "methods"):
        row = Row.parse(spec)
        reason = row.supports(task)
        if reason is not None:
            raise SuiteError(f"method '{row.label}' cannot run on {task.label}: {reason}.")
        named.append(row)
    if not named:
        raise SuiteError("--methods is empty: give 'all' or a comma-separated list; see `python -m methods list`.")
    labels_differ((row.label for row in named), "rows")
    chosen = [other for row in named for other in _with_told(row, task)]
    unique = [row for place, row in enumerate(chosen) if row not in chosen[:place]]
    labels_differ((row.label for row in unique), "rows")
    return unique, {}


def _on_request(row: Row) -> str | None:
    reason = row.method.on_request
    return None if reason is None else f"{reason}; named in --methods, or on another device, it runs"
