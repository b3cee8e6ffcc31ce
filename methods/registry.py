"""Make methods by their specs. There is no list to keep: a method is a file."""

from __future__ import annotations

from dataclasses import MISSING
from typing import TYPE_CHECKING

from datasets.catalog import METHODS, plugin_file
from datasets.errors import SuiteError
from datasets.spec import Spec, parameters, parse

if TYPE_CHECKING:
    from methods.base import Method

DESCRIBED: dict[str, tuple[type, str]] = {
    "summary": (str, 'summary = "what it does, in a line"'),
    "citation": (str, 'citation = "Authors, Title, Venue, year"'),
    "problems": (tuple, "problems = (DENOISING,), of the problems in datasets.task"),
    "decoupled": (bool, "decoupled = True if it tells its φ, else False"),
}
"""Class variables that a method must have: their types, and how to write them."""


def get_method(spec: str) -> Method:
    """Build a method from its spec, such as `nlm` or `nlm[search=15]`.

    Raises:
        SuiteError: no such method (the message lists near names and all names), a wrong parameter, or a class that
            does not say what it must.
    """
    return _build(METHODS.resolve(parse(spec, "method")))


def to_be_given(name: str) -> list[str]:
    """Return the parameters without which no setting of a method can be made: it has neither defaults nor variants."""
    missing = [each.name for each in parameters(METHODS.get(name)).values() if each.default is MISSING]
    return [] if METHODS.index()[name].variants else missing


def any_setting(name: str) -> Method:
    """Build a method with its defaults or, if it has a parameter that must be given, its first variant.

    Raises:
        SuiteError: as `get_method`.
    """
    cls = METHODS.get(name)
    missing = [each.name for each in parameters(cls).values() if each.default is MISSING]
    variants = list(METHODS.index()[name].variants)
    return get_method(variants[0][1] if missing and variants else name)


def check(cls: type[Method]) -> None:
    """Raise SuiteError if a class lacks what every method must say, or says it in another type."""
    from datasets.task import Problem

    where = f"method '{cls.name}' ({plugin_file(cls.__module__) or cls.__module__})"
    for name, (kind, how) in DESCRIBED.items():
        value = getattr(cls, name, None)
        if value is None:
            raise SuiteError(f"{where} lacks {name}: add {how}.")
        if not isinstance(value, kind):
            raise SuiteError(f"{where}: {name} is not of type {kind.__name__}: write {how}.")
    if not all(isinstance(problem, Problem) for problem in cls.problems):
        raise SuiteError(f"{where}: problems holds something else than problems: write {DESCRIBED['problems'][1]}.")


def _build(read: Spec) -> Method:
    check(METHODS.get(read.name))
    method: Method = METHODS.build(read)
    return method
