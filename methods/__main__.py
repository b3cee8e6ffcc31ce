"""`python -m methods list` and `python -m methods show NAME`: what can be compared, and what each takes.

A mistyped name is answered before anything heavy is imported.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING
from typing import TYPE_CHECKING

from datasets.catalog import METHODS, TASKS, plugin_file
from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.spec import Parameter, parameters, parse, to_text

SHOWN = 10
"""So many files of a method are written out."""

if TYPE_CHECKING:
    from rich.console import RenderableType

    from datasets.task import Problem, Task
    from methods.base import Method


def listing(task: str | None = None) -> list[RenderableType]:
    """Return a title and a table for every group of tasks; with a task, only the methods made for it.

    Raises:
        SuiteError: unknown task.
    """
    from rich.text import Text

    only = None if task is None else TASKS.build(TASKS.resolve(parse(task, "task")))
    tasks = [only] if only is not None else [TASKS.build(name) for name in TASKS.index()]
    groups: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    for name in METHODS.index():
        try:
            made_for = _problems(name)
        except Exception as error:  # a plug-in's fault, in whatever line of it
            broken[name] = _said(error)
            continue
        fit = [each for each in tasks if each.problem in made_for]
        if fit or only is None:
            groups.setdefault(", ".join(each.name for each in fit) or "no task of this suite", []).append(name)
    shown: list[RenderableType] = []
    for title, names in sorted(groups.items(), key=lambda group: (group[0].count(","), group[0])):
        shown += [Text(f"\n{title}", style="bold"), _table(names, tasks)]
    if broken:
        shown += [Text("\ncannot be used", style="bold"), _grid(broken.items())]
    shown.append(Text("\nφ: known, or hidden by the method. More: python -m methods show NAME", style="dim"))
    return shown


def _table(names: Iterable[str], tasks: Sequence[Task]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("method", overflow="fold", ratio=None)
    table.add_column("φ", no_wrap=True)
    table.add_column("what it does", overflow="fold")
    for name in names:
        for cells in _rows(name, tasks):
            table.add_row(*cells)
    return table


def _rows(name: str, tasks: Sequence[Task]) -> Iterator[tuple[str, str, str]]:
    """A method's row, then one for each of its variants; with the markup of rich."""
    from rich.markup import escape

    from methods.registry import any_setting, to_be_given

    try:
        if needed := to_be_given(name):
            cls = METHODS.get(name)
            how = f"{name}[{','.join(f'{each}=…' for each in needed)}]"
            yield f"[bold]{escape(name)}[/bold]", _phi(cls), escape(f"{cls.summary} (only if it is named: {how})")
            return
        method = any_setting(name)
        reasons = _reasons(method, tasks)
    except Exception as error:  # as above
        yield escape(name), "", f"[yellow]cannot be used: {escape(_said(error))}[/yellow]"
        return
    notes = "".join(f" [yellow](not now: {escape(reason)})[/yellow]" for reason in reasons)
    yield f"[bold]{escape(name)}[/bold]", _phi(method), escape(str(method.summary)) + notes
    for variant, spec in METHODS.index()[name].variants:
        given = ", ".join(f"{key}={value}" for key, value in parse(spec).given)
        yield f"  {escape(variant)}", "", f"[dim]with {escape(given)}[/dim]"


def _phi(method: Method | type[Method]) -> str:
    return ("known" if method.decoupled else "hidden") + (", oracle" if method.oracle else "")


def _problems(name: str) -> tuple[Problem, ...]:
    from methods.registry import check

    cls = METHODS.get(name)
    check(cls)
    problems: tuple[Problem, ...] = tuple(cls.problems)
    return problems


def _reasons(method: Method, tasks: Iterable[Task]) -> list[str]:
    """Why it cannot run on a task that it is made for, such as weights that are not here."""
    fit = [task for task in tasks if task.problem in method.problems]
    try:
        return sorted({reason for task in fit if (reason := method.supports(task)) is not None})
    except Exception as error:  # a plug-in's fault
        return [_said(error)]


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, SuiteError) else f"{type(error).__name__}: {text}"


def _grid(pairs: Iterable[tuple[str, str]]) -> RenderableType:
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, text in pairs:
        grid.add_row(f"[dim]{escape(key)}[/dim]", escape(text))
    return grid


def description(text: str) -> list[RenderableType]:
    """Return what there is to say of a method, at the setting of a spec.

    Raises:
        SuiteError: no such method, a wrong parameter, or a class that does not say what it must.
    """
    from rich.text import Text

    read = METHODS.resolve(parse(text, "method"))
    from methods.registry import any_setting, check, get_method, to_be_given

    cls = METHODS.get(read.name)
    check(cls)
    plain = not read.given and read.alias is None
    made = None if plain and to_be_given(read.name) else any_setting(read.name) if plain else get_method(text)
    method: Method | type[Method] = cls if made is None else made
    tasks = [TASKS.build(name) for name in TASKS.index()]
    fit = [task.name for task in tasks if task.problem in method.problems]
    facts = {
        "source": method.citation,
        "file": str(plugin_file(cls.__module__) or cls.__module__),
        "tasks": ", ".join(fit) or "none of this suite",
        "φ": ("known" if method.decoupled else "hidden") + (", looks at the clean image" if method.oracle else ""),
        "devices": ", ".join(method.devices),
    }
    if made is not None:
        facts |= _facts(made, tasks)
    if method.on_request:
        facts["on request"] = f"on a CPU only if it is named: {method.on_request}"
    shown: list[RenderableType] = [Text(text, style="bold"), Text(str(method.summary)), Text(""), _grid(facts.items())]
    if about := _about(cls):
        shown += [Text(""), Text(about)]
    given = dict(read.given)
    known = parameters(cls)
    shown.append(Text("\nparameters" if known else "\nno parameters", style="bold"))
    shown.append(_grid((name, _parameter(each, given.get(name))) for name, each in known.items()))
    if variants := METHODS.index()[read.name].variants:
        shown += [Text("\nvariants", style="bold"), _grid(variants)]
    return shown


def _facts(method: Method, tasks: Iterable[Task]) -> dict[str, str]:
    """What depends on the setting."""
    facts = {"told σ": "yes; an estimate where it is hidden" if method.uses_sigma else "no"}
    if files := [file.name for file in method.weights()]:
        facts["weights"] = "\n".join(files[:SHOWN] + [f"… {len(files)} files"] * (len(files) > SHOWN))
    if remarks := method.remarks():
        facts["remarks"] = "\n".join(remarks)
    if reasons := _reasons(method, tasks):
        facts["not now"] = "\n".join(reasons)
    return facts


def _about(cls: type) -> str:
    """The first paragraph of the docstring; none of what `dataclass` writes where there is none."""
    text = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
    return "" if text.startswith(f"{cls.__name__}(") else text


def _parameter(parameter: Parameter, given: str | None) -> str:
    default = "must be given" if parameter.default is MISSING else f"default {to_text(parameter.default)}"
    value = default if given is None else f"{given}, {default}"
    return f"{value} ({parameter.takes})" + (f"\n{parameter.said}" if parameter.said else "")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m methods", description="What can be compared.")
    commands = p.add_subparsers(dest="command", required=True)
    every = commands.add_parser("list", help="every method, by the tasks it is made for")
    every.add_argument("--task", help="only methods made for this task")
    one = commands.add_parser("show", help="one method: its source, tasks, parameters and variants")
    one.add_argument("name", metavar="NAME", help="a method, or a spec such as nlm[search=15]")
    options = p.parse_args(argv)
    shown = listing(options.task) if options.command == "list" else description(options.name)
    from datasets.cli import console

    out = console()
    for each in shown:
        out.print(each)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
