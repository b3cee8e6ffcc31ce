"""The fingerprint of a method, task or metric: it changes if what the thing would compute may have changed.

It covers the source of every module of the project, plug-ins included, that the module of the class imports, directly
or not; the parameters; and the content of the files that the thing reads. Docstrings, comments and blank lines do not
count, and neither do the names of modules: an explanation may be mended and a file moved without a new measurement.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from datasets.catalog import PLUGIN_PREFIX
from datasets.errors import SuiteError
from datasets.fetch import cached_sha256
from datasets.files import expanded
from datasets.spec import parameters

PACKAGES = frozenset({"datasets", "bigprior", "methods", "benchmarks"})
DIGITS = 16
LONGEST_NAME = 1000
"""Texts of a plug-in that are longer name no file."""


def fingerprint(thing: Any) -> str:
    """Return the fingerprint of an instance of a frozen dataclass, 16 hexadecimal digits.

    Files are those that `thing.weights()` names, those that a parameter names, and, of a plug-in, those that a text in
    its source names, relative to its own folder or to the current one.
    """
    cls = type(thing)
    lines = [f"class {cls.__qualname__}"]
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if not _names_a_file(value):  # a file counts by its content
            lines.append(f"{field.name}={value!r}")
    lines += sorted(_source(file).digest for file in modules_of(cls.__module__))
    lines += sorted(cached_sha256(file) for file in _files_of(thing) if file.is_file())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


def modules_of(module: str) -> set[Path]:
    """Return the files of a module and of all that it imports of the project; of an installed plug-in, of it as well.

    Imports inside functions count, those for the type checker alone do not. Nothing is imported.
    """
    packages = PACKAGES | {module.partition(".")[0]}
    seen: set[str] = set()
    files: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] not in packages:
            continue
        seen.add(name)
        file = _file(name)
        if file is not None:
            files.add(file)
            waiting += _source(file).imports
    return files


@cache
def _file(module: str) -> Path | None:
    """Return the file of a module, or None of what is none: a name inside a module, say."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        where = getattr(loaded, "__file__", None)
        return Path(where) if where else None
    top, *inner = module.split(".")
    folders = [Path(folder) for folder in _folders(top)]
    for package in (folder.joinpath(*inner) for folder in folders):
        for file in (package.with_suffix(".py"), package / "__init__.py"):
            if inner and file.is_file():
                return file
    return None


@cache
def _folders(package: str) -> tuple[str, ...]:
    spec = importlib.util.find_spec(package)
    return tuple(spec.submodule_search_locations or ()) if spec is not None else ()


@dataclasses.dataclass(frozen=True)
class _Source:
    """What counts of a source file.

    Attributes:
        digest: of the source without docstrings, comments and blank lines.
        imports: every module that it may import, and names in them.
        texts: its string constants, docstrings left out.
    """

    digest: str
    imports: tuple[str, ...]
    texts: tuple[str, ...]


def _source(file: Path) -> _Source:
    stat = file.stat()
    return _read(file, stat.st_size, stat.st_mtime_ns)


@cache
def _read(file: Path, size: int, modified: int) -> _Source:
    data = file.read_bytes()
    docstrings: list[ast.Constant] = []
    strings: list[ast.Constant | ast.JoinedStr] = []
    imports: list[ast.Import | ast.ImportFrom] = []
    unseen: set[int] = set()  # what only the type checker imports
    for node in _walk(ast.parse(data, str(file))):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str | bytes):
                strings.append(node)
        elif isinstance(node, ast.JoinedStr):
            strings.append(node)
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                docstrings.append(node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, ast.If) and _for_the_type_checker(node.test):
            unseen |= {id(each) for line in node.body for each in _walk(line)}
    words = {id(node) for node in docstrings}
    texts = [node.value for node in strings if isinstance(node, ast.Constant) and id(node) not in words]
    return _Source(
        hashlib.sha256(_code(data.splitlines(), strings, docstrings)).hexdigest(),
        tuple(name for node in imports if id(node) not in unseen for name in _imported(node)),
        tuple(text for text in texts if isinstance(text, str)),
    )


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node; several times as fast as `ast.walk`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for value in node.__dict__.values():
            if isinstance(value, list):
                waiting += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                waiting.append(value)


def _code(
    lines: list[bytes], strings: Iterable[ast.Constant | ast.JoinedStr], docstrings: Iterable[ast.Constant]
) -> bytes:
    """The source without docstrings, comments and blank lines; what is inside another string stays as it is."""
    spans: dict[int, list[tuple[int, int]]] = {}  # line → the columns that are inside a string
    content: set[int] = set()  # lines whose end is inside a string that counts
    words = {id(node) for node in docstrings}
    for node in strings:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        for number in range(first, last + 1):
            begin = node.col_offset if number == first else 0
            end = node.end_col_offset if number == last else None
            spans.setdefault(number, []).append((begin, len(lines[number]) if end is None else end))
        if id(node) not in words:
            content |= set(range(first, last))
    for number, line in enumerate(lines):
        if b"#" in line:
            lines[number] = line[: _comment(line, spans.get(number, ()))]
    # From the end: what stands behind a docstring on its line keeps its place until its own turn.
    for node in sorted(docstrings, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        whole = lines[first][: node.col_offset] + lines[last][node.end_col_offset :]
        lines[first : last + 1] = [whole, *[b""] * (last - first)]
    return b"\n".join(line.rstrip() for number, line in enumerate(lines) if number in content or line.strip())


def _comment(line: bytes, spans: Iterable[tuple[int, int]]) -> int:
    """Return the column at which a comment begins, or the end of the line."""
    column = line.find(b"#")
    while column >= 0 and any(begin <= column < end for begin, end in spans):
        column = line.find(b"#", column + 1)
    return column if column >= 0 else len(line)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _for_the_type_checker(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _files_of(thing: Any) -> set[Path]:
    files = {Path(file) for file in (thing.weights() if hasattr(thing, "weights") else ())}
    values = [getattr(thing, name) for name in parameters(type(thing))]
    files |= {expanded(value) for value in values if _names_a_file(value)}
    module = type(thing).__module__
    file = _file(module) if module.startswith(PLUGIN_PREFIX) else None
    if file is not None:
        texts = [text for text in _source(file).texts if 0 < len(text) < LONGEST_NAME]
        files |= {expanded(path) for text in texts for path in (file.parent / text, Path(text)) if _names_a_file(path)}
    return files


def _names_a_file(value: object) -> bool:
    try:
        return isinstance(value, str | Path) and str(value) != "" and expanded(value).is_file()
    except (OSError, ValueError, SuiteError):  # too long, or a null byte in it; no such user
        return False
