"""Find methods by name. There is no list to keep: a method is a file."""

from __future__ import annotations

from functools import cache

from datasets.errors import unknown
from datasets.plugins import discover
from methods.base import Method


@cache
def methods() -> dict[str, type[Method]]:
    """Every method class by name, in `methods/` and in the plugin folders."""
    return discover("methods", Method)  # type: ignore[type-abstract]


def get_method(name: str) -> Method:
    """Build the method `name` with its default parameters.

    Raises:
        SuiteError: no such method; the message lists near names and all names.
    """
    if name not in methods():
        raise unknown("method", name, methods())
    return methods()[name]()
