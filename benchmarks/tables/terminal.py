"""A summary in the terminal: the columns that fit, whole words, and the notes that nobody may miss."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.table import Table as Rich
from rich.text import Text

from benchmarks.tables import escape
from benchmarks.tables.column import Cell, Table, table_of
from benchmarks.tables.render import SIGNS
from benchmarks.tables.summary import BEST, TIED, Summary
from datasets.cli import console

EXPENDABLE = ("peak_mb", "median", "wins", "delta", "phi_implied", "published_psnr", "phi_mean", "images")
"""Ends of the keys of columns, in the order in which they are left out, after the intervals and before metrics."""
LONGEST_NAME = 34
"""Characters of a row's name where there is no room for more."""


def show(summary: Summary, explain: bool = False) -> None:
    """Print the table and its notes.

    Args:
        explain: print every note, and not only what is said of these very results.
    """
    screen = console()
    made, left_out = fitted(summary, screen)
    screen.print(to_rich(summary.title, made))
    said = list(summary.notes) if explain else [summary.notes[0], legend(summary, left_out), *summary.warnings]
    for note in said:
        screen.print(Text(note))


def legend(summary: Summary, left_out: list[str]) -> str:
    """Return in a sentence or two what the signs mean and where the rest is."""
    marks = set(summary.table[f"{summary.first.name}_mark"]) if f"{summary.first.name}_mark" in summary.table else set()
    signs = "* best, + not significantly worse." if TIED in marks else "* best." if BEST in marks else ""
    more = f" Not shown: {', '.join(left_out)}." if left_out else ""
    return f"{signs}{more} All columns are in summary.md; what they mean: `benchmarks table DIR --explain`.".strip()


def fitted(summary: Summary, screen: Console) -> tuple[Table, list[str]]:
    """Return the columns that fit the width of a screen, and the heads of those that are left out."""
    made = table_of(summary, intervals="first")
    left_out: list[str] = []

    def wide(table: Table) -> bool:
        return too_wide(to_rich("", table), screen)

    if wide(made) and any(cell.small for column in made.columns[1:] for cell in column.cells):
        made, left_out = table_of(summary, intervals="none"), ["intervals"]
    metrics = [
        measure.name for measure in reversed((*summary.metrics, *summary.set_metrics)) if measure != summary.first
    ]
    for ending in (*EXPENDABLE, *metrics):
        out = [column for column in made.columns if column.key == ending or column.key.endswith(f"_{ending}")]
        if out and wide(made):
            left_out += [column.head for column in out]
            made = replace(made, columns=tuple(column for column in made.columns if column not in out))
    if wide(made):
        names = tuple(replace(cell, text=_short(cell.text)) for cell in made.columns[0].cells)
        made = replace(made, columns=(replace(made.columns[0], cells=names), *made.columns[1:]))
    return made, left_out


def too_wide(table: Rich, screen: Console) -> bool:
    """Return whether a table has to be cut to fit the width of a screen."""
    return screen.measure(table, options=screen.options.update(max_width=10_000)).maximum > screen.width


def to_rich(title: str, made: Table) -> Rich:
    """Return a table for `rich`."""
    table = Rich(title=Text(title) if title else None, title_justify="left", header_style="bold", pad_edge=False)
    for column in made.columns:
        justify = "right" if column.numeric else "left"
        table.add_column(Text(escape.plain(column.head)), justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for line in made.lines:
        cells = zip(made.columns, line.cells, strict=True)
        table.add_row(*(_cell(cell, column.marked) for column, cell in cells))
    return table


def _cell(cell: Cell, marked: bool) -> Text:
    sign = f" {SIGNS[cell.mark]}" if cell.mark else "  "
    return Text(escape.plain(cell.whole) + (sign if marked else ""), style="bold" if cell.mark == BEST else "")


def _short(name: str) -> str:
    """Return a name with its middle left out if it is long: both ends tell rows apart."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half + 1 :]}"
