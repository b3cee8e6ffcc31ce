"""A network made by the user's own Python code."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from bigprior.checkpoints import check_shapes, shapes_of
from datasets.errors import SuiteError
from datasets.spec import parse
from methods.adapters.files import read_weights
from methods.adapters.words import one_line

INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")


def arguments(text: str) -> dict[str, Any]:
    """Read the arguments of a constructor, written `depth=17,widths=32:64,norm=false`.

    A value is a number, true, false, none, several numbers with colons (a tuple), or else text.

    Raises:
        SuiteError: it is not written so.
    """
    return {key: _value(value) for key, value in parse(f"args[{text}]", "arguments").given}


def build(where: str, factory: Callable[..., Any], args: str, weights: Path | None) -> nn.Module:
    """Return factory(**arguments), with the weights of a file if one is given.

    Args:
        where: the factory's name, for messages.

    Raises:
        SuiteError: the factory fails or makes no `nn.Module`, or the weights are not its own.
    """
    try:
        network = factory(**arguments(args))
    except SuiteError:
        raise
    except (Exception, SystemExit) as error:  # the user's code
        raise SuiteError(f"{where}({args}) fails ({one_line(error)}): correct it, or its args=.") from error
    if not isinstance(network, nn.Module):
        raise SuiteError(f"{where}({args}) makes {type(network).__name__}: it must make a torch.nn.Module.")
    if weights is not None:
        found = read_weights(weights.expanduser())
        check_shapes(weights, f"a file of weights of {where}({args})", found, shapes_of(network))
        network.load_state_dict(found)
    return network


@contextlib.contextmanager
def imported(target: str) -> Iterator[Callable[..., Any]]:
    """Import what `FILE.py:NAME` or `module:NAME` means; inside the block, FILE.py can import what is beside it.

    Raises:
        SuiteError: it is not written so, or the file, module or name does not exist or cannot be imported.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise SuiteError(f"target '{target}': write FILE.py:NAME or module:NAME.")
    file = source(target)
    with _beside(file) if file is not None else contextlib.nullcontext():
        module = _module(place, file)
        factory = getattr(module, name, None)
        if not callable(factory):
            made = ", ".join(sorted(_made_in(module))) or "none"
            raise SuiteError(f"{place} has no class or function {name}: those that are made in it are {made}.")
        yield factory


def source(target: str) -> Path | None:
    """Return the file of a target `FILE.py:NAME`, or None if it names a module."""
    place = target.rpartition(":")[0]
    return Path(place).expanduser() if place.endswith(".py") else None


def sources(target: str) -> tuple[Path, ...]:
    """Return the files with the code of a target: its own, and those beside it or in its package that it imports.

    Of an installed package it is the module's own file alone.
    """
    place, file = target.rpartition(":")[0], source(target)
    if file is None:
        with contextlib.suppress(Exception):  # a package of the user's may fail when it is looked into
            spec = importlib.util.find_spec(place)
            file = Path(spec.origin) if spec is not None and spec.origin else None
    if file is None or not file.is_file():
        return ()
    stat = file.stat()
    return (file, *_imported_beside(place, file, stat.st_size, stat.st_mtime_ns))


@cache
def _imported_beside(place: str, file: Path, size: int, modified: int) -> tuple[Path, ...]:
    if any(file.is_relative_to(sysconfig.get_path(kind)) for kind in INSTALLED):
        return ()
    of_a_file = place.endswith(".py")
    package = 0 if of_a_file else place.count(".") + (file.name == "__init__.py")
    finder = ModuleFinder(path=[str(file.resolve().parents[package])])
    try:  # reads the code and runs nothing
        finder.run_script(str(file)) if of_a_file else finder.import_hook(place)
    except (SyntaxError, ImportError):
        return ()
    found = [getattr(module, "__file__", None) for module in finder.modules.values()]
    return tuple(sorted({Path(each) for each in found if each} - {file}))


@contextlib.contextmanager
def _beside(file: Path) -> Iterator[None]:
    """Let modules beside a file be imported; afterwards they are forgotten: another file may have its own `blocks`."""
    folder = str(file.parent.resolve())
    known = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - known:
            where = getattr(sys.modules[name], "__file__", None)
            if where and Path(where).is_relative_to(folder):
                del sys.modules[name]


def _module(place: str, file: Path | None) -> ModuleType:
    try:
        if file is None:
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(f"_own_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    except FileNotFoundError as error:
        raise SuiteError(f"{error.filename or place} is not there: give the path of a Python file.") from error
    except (Exception, SystemExit) as error:  # the user's code
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise SuiteError(f"{place}{line} cannot be imported ({one_line(error)}).") from error


def _made_in(module: ModuleType) -> Iterator[str]:
    for name, each in vars(module).items():
        if callable(each) and getattr(each, "__module__", None) == module.__name__ and not name.startswith("_"):
            yield name


def _value(text: str) -> Any:
    plain = {"true": True, "false": False, "none": None}
    if text in plain:
        return plain[text]
    parts = [_number(part) for part in text.split(":")]
    if None in parts:
        return text
    return tuple(parts) if len(parts) > 1 else parts[0]


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return None
