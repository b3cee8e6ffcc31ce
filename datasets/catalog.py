"""The one registry: which methods, tasks, datasets and metrics there are, and which file each is in.

A thing is a class with a `name` in a file of its folder, of a plug-in folder (`RESTORATION_PLUGINS`, separated like
PATH) or of an installed package's entry point (`restoration_benchmarks`, a module); no list is kept. The suite's own
files are read and not imported to learn the names, so a list of names costs milliseconds and only what is used is
loaded. A plug-in that cannot be imported is named on stderr, and the others go on.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from datasets.errors import SuiteError, unknown
from datasets.files import expanded
from datasets.spec import Spec, build, canonical, parse, parse_list

PLUGIN_FOLDERS = "RESTORATION_PLUGINS"
"""Environment variable: folders whose .py files may add methods, tasks, datasets or metrics."""
ENTRY_POINTS = "restoration_benchmarks"
PLUGIN_PREFIX = "_plugin_"
DESCRIBED = ("name", "summary", "title", "variants")

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """Where a class is: the module to import, its name there, and its named variants."""

    module: str
    attribute: str
    variants: tuple[tuple[str, str], ...] = ()


class Kind(Generic[T]):
    """One kind of thing, such as methods.

    Attributes:
        word: what it is called in messages.
        base: the interface, as `module:Class`; it is imported when the first class is.
    """

    def __init__(self, word: str, package: str, base: str) -> None:
        self.word, self.package, self._base = word, package, base

    @property
    def base(self) -> type[T]:
        """The interface that every class of the kind has."""
        module, _, name = self._base.partition(":")
        found: type[T] = getattr(importlib.import_module(module), name)
        return found

    def index(self) -> dict[str, Found]:
        """Return every class by its name, sorted.

        Raises:
            SuiteError: two files claim one name, or a folder of plug-ins does not exist.
        """
        found = dict(_package_index(self.package))
        for module in plugin_modules():
            for name, where in _module_index(module, self.base).items():
                if name in found:
                    raise SuiteError(f"'{name}' is claimed by both {found[name].module} and {_file_of(module)}.")
                found[name] = where
        return dict(sorted(found.items()))

    def modules(self) -> list[str]:
        """Return the suite's own modules of the kind, plug-ins left out."""
        return sorted({found.module for found in _package_index(self.package).values()})

    def variants(self) -> dict[str, Spec]:
        """Return the named variants of all classes: a name, and the spec that it stands for."""
        specs: dict[str, Spec] = {}
        for where in self.index().values():
            specs |= {alias: Spec(*_as_parts(text), alias=alias) for alias, text in where.variants}
        return dict(sorted(specs.items()))

    def names(self) -> list[str]:
        """Return every name that can be given."""
        return sorted({*self.index(), *self.variants()})

    def get(self, name: str) -> type[T]:
        """Import and return the class of a name.

        Raises:
            SuiteError: there is none; the message has near names and all names.
        """
        index = self.index()
        if name not in index:
            raise unknown(self.word, name, self.names())
        cls: type[T] = getattr(importlib.import_module(index[name].module), index[name].attribute)
        return cls

    def resolve(self, spec: Spec) -> Spec:
        """Return the spec that a named variant stands for, under the variant's name; any other as it is.

        Raises:
            SuiteError: the name is unknown.
        """
        variants = self.variants()
        if spec.name in variants and spec.name not in self.index():
            meant = variants[spec.name]
            given = dict(meant.given) | dict(spec.given)
            alias = spec.alias or (None if spec.given else spec.name)
            return Spec(meant.name, tuple(given.items()), alias)
        if spec.name not in self.index():
            raise unknown(self.word, spec.name, self.names())
        return spec

    def build(self, spec: Spec | str, defaults: Mapping[str, object] | None = None) -> T:
        """Make the object that a spec means; see `datasets.spec.build` for what it raises."""
        read = self.resolve(parse(spec, self.word) if isinstance(spec, str) else spec)
        return build(self.get(read.name), read, self.word, defaults)

    def label(self, spec: Spec, thing: T, defaults: Mapping[str, object] | None = None) -> str:
        """Return what an object is called in records and tables: its alias, or its canonical form."""
        read = self.resolve(spec)
        return read.alias or canonical(read.name, thing, defaults)

    def parse_list(self, text: str) -> list[Spec]:
        """Read a list of specs of this kind and check that every name exists; nothing heavy is imported."""
        specs = parse_list(text, f"{self.word}s")
        for spec in specs:
            self.resolve(spec)
        return specs


def _as_parts(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    spec = parse(text)
    return spec.name, spec.given


class Places(Kind[Any]):
    """Datasets: a folder's path is one of them without being written out."""

    def of_place(self, text: str) -> Spec:
        """Return the spec of a dataset, or of the folder whose path is given.

        Raises:
            SuiteError: it is a file, or neither a name nor a folder.
        """
        path = expanded(text)
        name = text.partition("[")[0].rpartition("=")[2].strip()
        if name in self.names():
            return parse(text, self.word)
        if path.is_file():
            raise SuiteError(f"dataset '{text}' is a file: give the folder it is in.")
        if path.is_dir() or text.startswith((".", "~", os.sep)):
            return Spec("folder", (("path", text),))
        parse_list(text, self.word)  # says what is wrong with brackets first
        raise SuiteError(f"{unknown(self.word, name, self.names())} Or give the path of an existing folder.")

    def places(self, text: str) -> list[Spec]:
        """Read one path, or several specs separated by commas."""
        if expanded(text).is_dir() and text not in self.names():
            return [self.of_place(text)]
        if text.startswith((".", "~", os.sep)):
            return [self.of_place(text)]
        return [self.of_place(str(spec)) for spec in parse_list(text, self.word)]


METHODS: Kind[Any] = Kind("method", "methods", "methods.base:Method")
TASKS: Kind[Any] = Kind("task", "datasets.tasks", "datasets.task:Task")
SETS: Places = Places("dataset", "datasets.sets", "datasets.dataset:Dataset")
METRICS: Kind[Any] = Kind("metric", "benchmarks.scores.metrics", "benchmarks.scores.metric:AnyMetric")


@cache
def _package_index(package: str) -> dict[str, Found]:
    """Read the files of a package for classes with a `name`; files whose name begins with an underscore are not."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return {}
    found: dict[str, Found] = {}
    for module, file in _files(package, spec.submodule_search_locations):
        for node in ast.parse(file.read_bytes(), str(file)).body:
            if not isinstance(node, ast.ClassDef):
                continue
            fields = _literals(node)
            name = fields.get("name")
            if not isinstance(name, str) or not {"summary", "title"} & set(fields):
                continue  # a base class, or a thing of another kind, such as the domain of a fusion
            if name in found:
                raise SuiteError(f"'{name}' is claimed by both {found[name].module} and {module}.")
            found[name] = Found(module, node.name, tuple((fields.get("variants") or {}).items()))
    return found


def _files(package: str, folders: Any) -> list[tuple[str, Path]]:
    files = []
    for info in pkgutil.iter_modules(folders):
        if info.name.startswith("_"):
            continue
        path = Path(info.module_finder.path, info.name)  # type: ignore[union-attr]
        if info.ispkg:
            files += _files(f"{package}.{info.name}", [str(path)])
        else:
            files.append((f"{package}.{info.name}", path.with_suffix(".py")))
    return files


def _literals(node: ast.ClassDef) -> dict[str, Any]:
    """The class variables that describe a class, where they are written out."""
    found: dict[str, Any] = {}
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        target = targets[0]
        if isinstance(target, ast.Name) and target.id in DESCRIBED:
            try:
                found[target.id] = ast.literal_eval(line.value)  # type: ignore[attr-defined]
            except ValueError:
                found[target.id] = None  # computed when it is imported
    return found


def _module_index(module: ModuleType, base: type) -> dict[str, Found]:
    """The classes of a kind that an imported module defines."""
    found = {}
    for _, cls in inspect.getmembers(module, inspect.isclass):
        mine = cls.__module__ == module.__name__ and issubclass(cls, base)
        if mine and not inspect.isabstract(cls) and isinstance(vars(cls).get("name"), str):
            variants = tuple(getattr(cls, "variants", {}).items())
            found[vars(cls)["name"]] = Found(module.__name__, cls.__name__, variants)
    return found


def plugin_modules() -> list[ModuleType]:
    """Import the plug-ins and return those that can be imported; the others are named on stderr, once.

    Raises:
        SuiteError: a folder does not exist.
    """
    return [*_folder_plugins(_plugin_files()), *_installed_plugins()]


def plugin_file(module: ModuleType | str) -> Path | None:
    """Return the file of a plug-in module, or None if it is no plug-in of a folder."""
    found = sys.modules.get(module) if isinstance(module, str) else module
    return Path(str(found.__file__)) if found is not None and found.__name__.startswith(PLUGIN_PREFIX) else None


def _plugin_files() -> tuple[tuple[Path, str], ...]:
    """Every plug-in file with the hash of its content: a file that changes is loaded again."""
    files = []
    for folder in filter(None, os.environ.get(PLUGIN_FOLDERS, "").split(os.pathsep)):
        if not Path(folder).is_dir():
            raise SuiteError(f"{PLUGIN_FOLDERS} names '{folder}', which is not a folder.")
        for path in sorted(Path(folder).resolve().glob("[!_]*.py")):
            try:
                files.append((path, hashlib.sha256(path.read_bytes()).hexdigest()))
            except OSError as error:
                raise SuiteError(f"plug-in {path} cannot be read ({error.strerror}).") from error
    return tuple(files)


@cache
def _folder_plugins(files: tuple[tuple[Path, str], ...]) -> tuple[ModuleType, ...]:
    return tuple(module for path, digest in files if (module := _load_file(path, digest)) is not None)


def _load_file(path: Path, digest: str) -> ModuleType | None:
    # The name follows from path and content: worker processes load the very same module under the very same name.
    place = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"{PLUGIN_PREFIX}{path.stem}_{place}_{digest[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # a plug-in may call sys.exit as well
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        _skip(str(path), error)
        return None
    return module


@cache
def _installed_plugins() -> tuple[ModuleType, ...]:
    found = []
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            found.append(importlib.import_module(entry.value.partition(":")[0]))
        except Exception as error:
            _skip(entry.value, error)
    return tuple(found)


def _skip(what: str, error: BaseException) -> None:
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    print(f"warning: plug-in {what} is left out: {type(error).__name__}{line}: {said}", file=sys.stderr)


def _file_of(module: ModuleType) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)
