"""The one grammar for methods, tasks, datasets and metrics: text to a frozen dataclass, and back.

    name    name[key=value,key=value]    alias=name[...]    several of these, separated by commas

A value may hold brackets (`pnp[denoiser=nlm[patch=5]]`), or anything at all between double quotes, in which a double
quote is written twice. Nothing heavy is imported here: a mistyped name is answered at once.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from datasets.errors import SuiteError, unknown

T = TypeVar("T")

_WRITTEN_PLAIN = re.compile(r'[^,\[\]="\s]+')
"""A value that needs no quotes."""


@dataclass(frozen=True)
class Spec:
    """One item of a list as it was written: `alias=name[key=value]`, nothing looked up yet."""

    name: str
    given: tuple[tuple[str, str], ...] = ()
    alias: str | None = None

    def __str__(self) -> str:
        inside = ",".join(f"{key}={_written(value)}" for key, value in self.given)
        text = f"{self.name}[{inside}]" if inside else self.name
        return f"{self.alias}={text}" if self.alias else text

    def take(self, key: str) -> tuple[str | None, Spec]:
        """Return the value of a key, or None, and the spec without it."""
        found = dict(self.given)
        value = found.pop(key, None)
        return value, dataclasses.replace(self, given=tuple(found.items()))


@dataclass(frozen=True)
class Within:
    """What a number may be: `patch: Annotated[int, Within(1, 63, odd=True)] = 7`. Ends are included."""

    low: float = -math.inf
    high: float = math.inf
    odd: bool = False

    def __str__(self) -> str:
        odd = "odd, " if self.odd else ""
        if math.isinf(self.low) and math.isinf(self.high):
            return odd.rstrip(", ")
        if math.isinf(self.high):
            return f"{odd}{self.low:g} or more"
        if math.isinf(self.low):
            return f"{odd}{self.high:g} or less"
        return f"{odd}{self.low:g} to {self.high:g}"

    def holds(self, value: float) -> bool:
        """Return whether a number is allowed."""
        return self.low <= value <= self.high and not (self.odd and value % 2 != 1)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a class, as `show` prints it.

    Attributes:
        kind: the type without its range.
        default: `dataclasses.MISSING` where one must be given.
        within: the range of a number, or None.
        said: what the docstring of the class says of it.
    """

    name: str
    kind: Any
    default: Any
    within: Within | None
    said: str = ""

    @property
    def type_name(self) -> str:
        """The type in words."""
        return " or ".join(_in_words(kind) for kind in _members(self.kind))

    @property
    def takes(self) -> str:
        """The type and the range in words."""
        return f"{self.type_name}, {self.within}" if self.within else self.type_name


def parse_list(text: str, what: str = "list") -> list[Spec]:
    """Read several specs, separated by commas; empty items are skipped.

    Raises:
        SuiteError: a bracket or quote is not closed, an item has no name, or an alias is used twice.
    """
    specs = [_parse_one(item, what) for item in _split(text, ",", what) if item.strip()]
    aliases = [spec.alias for spec in specs if spec.alias]
    for alias in aliases:
        if aliases.count(alias) > 1:
            raise SuiteError(f"{what}: the alias '{alias}' is used twice: give each its own.")
    return specs


def parse(text: str, what: str = "name") -> Spec:
    """Read one spec; see `parse_list` for what it raises."""
    specs = parse_list(text, what)
    if len(specs) != 1:
        raise SuiteError(f"{what} '{text}': give one, written name or name[key=value,key=value].")
    return specs[0]


def _split(text: str, mark: str, what: str) -> list[str]:
    """Split at a mark that is neither in brackets nor in quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif letter == "[":
            depth += 1
        elif letter == "]":
            depth -= 1
            if depth < 0:
                raise SuiteError(f"{what} '{text}': a closing bracket without an opening one.")
        elif letter == mark and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    if depth:
        raise SuiteError(f"{what} '{text}': the bracket is not closed: write name[key=value,key=value].")
    if quoted:
        raise SuiteError(f"{what} '{text}': the double quote is not closed.")
    return [*parts, text[start:]]


def _parse_one(text: str, what: str) -> Spec:
    item = text.strip()
    head, *more = _split(item, "=", what)
    alias: str | None = None
    if more:
        alias, item = head.strip(), "=".join(more).strip()
        if not alias or "[" in alias:
            raise SuiteError(f"{what} '{text.strip()}': write alias=name[key=value].")
    name, bracket, inside = item.partition("[")
    if bracket and not inside.endswith("]"):
        raise SuiteError(f"{what} '{text.strip()}': nothing may follow the closing bracket.")
    if not name.strip():
        raise SuiteError(f"{what} '{text.strip()}': the name is missing.")
    given: dict[str, str] = {}
    for pair in _split(inside[:-1], ",", what) if inside[:-1].strip() else ():
        key, *rest = _split(pair, "=", what)
        key = key.strip().replace("-", "_")
        if not rest or not key:
            raise SuiteError(f"{what} '{text.strip()}': '{pair.strip()}' is not key=value.")
        if key in given:
            raise SuiteError(f"{what} '{text.strip()}': '{key}' is given twice.")
        given[key] = _unquoted("=".join(rest).strip())
    return Spec(name.strip(), tuple(given.items()), alias)


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


def _written(value: str) -> str:
    if _WRITTEN_PLAIN.fullmatch(value):
        return value
    try:
        nested = parse(value)
    except SuiteError:
        nested = None
    if nested is not None and not nested.alias and _WRITTEN_PLAIN.fullmatch(nested.name) and str(nested) == value:
        return value
    return '"' + value.replace('"', '""') + '"'


def parameters(cls: type) -> dict[str, Parameter]:
    """Return what can be given in the brackets of a class: its init fields of plain types.

    Plain are numbers, text, truth values, paths, choices, and tuples of numbers, which are written with colons
    (`steps=8:30`). A field of another type is for Python alone.
    """
    key: Any = cls  # for mypy a type[T] is not hashable
    return _parameters(key)


@cache
def _parameters(cls: Any) -> dict[str, Parameter]:
    hints = typing.get_type_hints(cls, include_extras=True)
    said = _said(cls)
    found = {}
    for field in dataclasses.fields(cls):
        kind, within = _parted(hints[field.name])
        if not field.init or field.name.startswith("_") or not _is_plain(kind):
            continue
        make = field.default_factory
        default = field.default if make is dataclasses.MISSING else make()
        found[field.name] = Parameter(field.name, kind, default, within, said.get(field.name, ""))
    return found


def _parted(hint: Any) -> tuple[Any, Within | None]:
    """Take the range out of a type, also out of `Annotated[int, Within(1)] | None`."""
    if typing.get_origin(hint) is Annotated:
        kind, *extras = typing.get_args(hint)
        return kind, next((extra for extra in extras if isinstance(extra, Within)), None)
    if typing.get_origin(hint) in (Union, types.UnionType):
        parts = [_parted(member) for member in typing.get_args(hint)]
        kinds = tuple(kind for kind, _ in parts)
        return Union[kinds], next((within for _, within in parts if within is not None), None)  # noqa: UP007
    return hint, None


def _members(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (Union, types.UnionType) else (kind,)


_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    bool: "true or false",
    type(None): "none",
}


def _in_words(kind: Any) -> str:
    if (choices := _choices(kind)) is not None:
        return ", ".join(choices)
    if kind in _WORDS:
        return _WORDS[kind]
    count = len(typing.get_args(kind))
    return f"{count} numbers {':'.join('abcdefghij'[:count])}"


def _choices(kind: Any) -> list[str] | None:
    return list(typing.get_args(kind)) if typing.get_origin(kind) is Literal else None


def _is_plain(kind: Any) -> bool:
    plain = (int, float, str, bool, Path, type(None))
    return all(k in plain or _choices(k) is not None or _is_tuple(k) for k in _members(kind))


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple and all(part in (int, float) for part in typing.get_args(kind))


def _said(cls: type) -> dict[str, str]:
    """Parameter → what the "Args:" or "Attributes:" of the docstrings of a class and its bases say of it."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        doc = inspect.cleandoc(base.__doc__ or "")
        for block in re.findall(r"^(?:Args|Attributes):\n((?:[ ]{4}.*\n?|\n)*)", doc, flags=re.M):
            for names, text in re.findall(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", block, flags=re.M):
                found |= {name.strip(): " ".join(text.split()) for name in names.split(",")}
    return found


def build(cls: type[T], spec: Spec, what: str, defaults: Mapping[str, object] | None = None) -> T:
    """Make the object that a spec means.

    Args:
        cls: a frozen dataclass.
        spec: what was written; its name is only used in messages.
        what: kind of the thing, for messages.
        defaults: values of the fields that the spec does not give, where they are not those of the class.

    Raises:
        SuiteError: an unknown key, a value of the wrong type or out of range, or one that must be given is missing.
    """
    known = parameters(cls)
    values: dict[str, Any] = dict(defaults or {})
    for key, text in spec.given:
        if key not in known:
            raise unknown(f"parameter of {what} '{spec.name}'", key, known)
        values[key] = _value(text, known[key], f"{what} {Spec(spec.name, ((key, text),))}")
    for name, parameter in known.items():
        if parameter.default is dataclasses.MISSING and name not in values:
            takes = f"({parameter.takes})"
            raise SuiteError(f"{what} '{spec.name}' needs a value for {name} {takes}: write {spec.name}[{name}=…].")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise SuiteError(f"{what} {spec}: {' '.join(str(error).split())}.") from error


def _value(text: str, parameter: Parameter, where: str) -> Any:
    for kind in _members(parameter.kind):
        try:
            value = _read(text, kind)
        except ValueError:
            continue
        if _holds(value, parameter):
            return value
        break
    choices = _choices(parameter.kind)
    if choices is not None:
        raise unknown(f"value of {parameter.name} in {where}", text, choices)
    raise SuiteError(f"{where}: {parameter.name} must be {parameter.takes}, not '{text}'.")


def _holds(value: Any, parameter: Parameter) -> bool:
    """Return whether a number, or every number of a tuple, is in the range of a parameter."""
    within = parameter.within
    numbers = [n for n in (value if isinstance(value, tuple) else (value,)) if isinstance(n, int | float)]
    return within is None or all(within.holds(n) for n in numbers if not isinstance(n, bool))


def check_ranges(thing: Any) -> None:
    """Check what `build` checks on text, for an object that was made in Python.

    Raises:
        ValueError: a number is out of its range, or a text none of its choices.
    """
    for parameter in parameters(type(thing)).values():
        value = getattr(thing, parameter.name)
        choices = _choices(parameter.kind)
        if not _holds(value, parameter) or (choices is not None and value not in choices):
            raise ValueError(f"{parameter.name} must be {parameter.takes}, not {to_text(value)}")


def _read(text: str, kind: Any) -> Any:
    choices = _choices(kind)
    if choices is not None:
        if text not in choices:
            raise ValueError
        return text
    if kind is type(None):
        if text != "none":
            raise ValueError
        return None
    if kind is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else _fail()
    if _is_tuple(kind):
        parts = text.split(":")
        kinds = typing.get_args(kind)
        return tuple(map(_read, parts, kinds)) if len(parts) == len(kinds) else _fail()
    if kind is float:
        value = float(text)
        return value if math.isfinite(value) else _fail()
    return kind(text)


def _fail() -> Any:
    raise ValueError


def canonical(name: str, thing: Any, defaults: Mapping[str, object] | None = None) -> str:
    """Return the shortest text that means an object: its name, and in brackets what differs from the defaults.

    Args:
        name: what it is registered as.
        thing: an instance of a frozen dataclass.
        defaults: values that go without saying, where they are not those of the class.
    """
    known = parameters(type(thing))
    usual = {key: parameter.default for key, parameter in known.items()} | dict(defaults or {})
    pairs = [(key, to_text(getattr(thing, key))) for key in known if getattr(thing, key) != usual[key]]
    return str(Spec(name, tuple(pairs)))


def to_text(value: object) -> str:
    """Write a parameter's value as the grammar reads it; a float with as many digits as it needs."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ":".join(map(to_text, value))
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def labels_differ(labels: Iterable[str], what: str) -> None:
    """Raise SuiteError if two things would be printed under one label."""
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise SuiteError(f"two {what} print the same label '{label}': leave one out, or name one, as in a={label}.")
        seen.add(label)
