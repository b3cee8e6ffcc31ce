"""Rows that leave a part of their work to another row, given by its spec."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from datasets.errors import SuiteError
from datasets.fingerprint import fingerprint
from datasets.task import Problem
from methods.base import Method
from methods.registry import get_method


@dataclass(frozen=True)
class Nested(Method):
    """What such rows have in common: the other row's code, files and remarks count as their own.

    Raises:
        ValueError, SuiteError: as `row` does.
    """

    inside: str = field(init=False, repr=False, default="")
    """The fingerprint of the other row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "inside", fingerprint(self.row))

    @property
    @abstractmethod
    def row(self) -> Method:
        """The other row; an error where the spec means none that will do."""

    def remarks(self) -> tuple[str, ...]:
        return self.row.remarks()

    def weights(self) -> tuple[Path, ...]:
        return self.row.weights()


@cache
def inner(spec: str, problem: Problem, parameter: str, told: bool = False) -> Method:
    """Return the row that a parameter names; rows have no state.

    Args:
        spec: such as `nlm` or `nlm[patch=5]`.
        problem: what it must solve.
        parameter: whose value the spec is, for messages.
        told: it must read σ.

    Raises:
        ValueError: there is no such row, or it is not made for the problem, or it looks at the clean image, or reads
            no σ where it must.
    """
    try:
        method = get_method(spec)
    except SuiteError as error:
        raise ValueError(f"{parameter}: {str(error).rstrip('.')}") from None
    if problem not in method.problems:
        raise ValueError(f"{parameter} '{spec}' is not made for {problem}")
    if method.oracle:
        raise ValueError(f"{parameter} '{spec}' looks at the clean image: take one that does not")
    if told and not method.uses_sigma:
        raise ValueError(f"{parameter} '{spec}' is not told σ: take one that is, such as collaborative-wiener or nlm")
    return method
