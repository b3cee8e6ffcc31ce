"""Find every class of a kind by looking into folders, so that a new one is a new file and no list is kept."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from datasets.errors import SuiteError

PLUGIN_FOLDERS = "RESTORATION_PLUGINS"
"""Environment variable: folders (separated like PATH) whose .py files may add methods, tasks, sets or metrics."""

T = TypeVar("T")


def package_modules(package: str) -> list[ModuleType]:
    """Import every module of a package, recursively, but those whose name begins with an underscore."""
    root = importlib.import_module(package)
    found = []
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        if not info.name.rsplit(".", 1)[-1].startswith("_"):
            found.append(importlib.import_module(info.name))
    return found


def _plugin_modules() -> list[ModuleType]:
    found = []
    for folder in filter(None, os.environ.get(PLUGIN_FOLDERS, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            raise SuiteError(f"{PLUGIN_FOLDERS} names '{folder}', which is not a folder.")
        for path in sorted(Path(folder).glob("[!_]*.py")):
            found.append(_load_file(path.resolve()))
    return found


def _load_file(path: Path) -> ModuleType:
    # A name derived from the path: two plugin folders may hold files of the same name, and
    # worker processes must be able to load the very same module again.
    name = f"_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise SuiteError(f"plugin {path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def discover(package: str, base: type[T]) -> dict[str, type[T]]:
    """Return every concrete subclass of `base` in `package` (recursively) and in the plugin folders, by its `name`.

    A module whose name begins with an underscore is support code and is not looked into.

    Raises:
        SuiteError: two classes claim one name, or a plugin cannot be imported.
    """
    found: dict[str, type[T]] = {}
    for module in package_modules(package) + _plugin_modules():
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or not issubclass(cls, base) or inspect.isabstract(cls):
                continue
            if "name" not in vars(cls):
                continue  # a shared base class in a method's own file
            name = cls.name  # type: ignore[attr-defined]
            if name in found:
                raise SuiteError(f"'{name}' is claimed by both {found[name].__module__} and {cls.__module__}.")
            found[name] = cls
    return dict(sorted(found.items()))
