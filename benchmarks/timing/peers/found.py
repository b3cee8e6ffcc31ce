"""Which races there are."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence

from benchmarks.timing.peers import races
from benchmarks.timing.peers.race import GROUPS, Race
from datasets.errors import unknown


def every_race() -> dict[str, Race]:
    """Return the races of all files of `races/`, by name: by group, then in the order of the files."""
    modules = sorted(module.name for module in pkgutil.iter_modules(races.__path__))
    found = [race for name in modules for race in importlib.import_module(f"{races.__name__}.{name}").RACES]
    return {race.name: race for race in sorted(found, key=lambda race: GROUPS.index(race.group))}


def chosen(names: Sequence[str]) -> list[Race]:
    """Return the races of these names; all, if none is named.

    Raises:
        SuiteError: there is no such race; the message has near names.
    """
    every = every_race()
    for name in names:
        if name not in every:
            raise unknown("race", name, every)
    return [race for name, race in every.items() if name in names or not names]
