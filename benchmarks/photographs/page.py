"""A comparison to look at: a table for the terminal, and one HTML page beside its pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.table import Table
from rich.text import Text

from benchmarks.folder.pictures import file_name
from benchmarks.photographs.comparison import PHI, PHOTOGRAPH, REMOVED, RESULTS, SPAN, Cell, Comparison
from benchmarks.report.page import HERE as REPORT
from benchmarks.tables.colours import PHI_COLOURS
from benchmarks.tables.escape import plain

STYLES = (REPORT / "static" / "base.css", REPORT / "static" / "tables.css")
COLUMNS = (
    ("removed/σ", "removed_per_sigma", ".2f"),
    ("correl.", "correlation", ".3f"),
    ("error", "error", ".2f"),
    ("differs", "differs", ".2f"),
    ("φ", "phi", ".2f"),
    ("φ meas.", "phi_implied", ".2f"),
    ("s", "seconds", ".1f"),
)
"""Head, column of `Comparison.means`, and format."""
NOTES = (
    "removed/σ: standard deviation of y − x̂ over σ. 1 is as much as there is noise; less leaves noise, more takes "
    "structure, or the noise is stronger than σ.",
    "correl.: correlation of neighbours in y − x̂, root mean square over 12 lags. White noise: {white:.4f} here.",
    "error: √SURE in gray levels, an estimate of the root mean square error without the original. It holds for white "
    "Gaussian noise of the σ that was used, and for no other; – where it comes out below 0.",
    "differs: mean root mean square difference from the other methods, in gray levels.",
    "φ: the share of prior as the method declares it; φ meas.: as it is measured, by moving the data a little.",
)
NARROW = 22
"""Letters of a method's label in the terminal before it is folded: the table has 80 columns."""
STOPS = 9
"""Colours of which the legend of φ is made."""


def _shown(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def _lines(comparison: Comparison) -> list[tuple[str, list[str]]]:
    lines = []
    for label, row in comparison.means().iterrows():
        failed = row["failures"] == len(comparison.said)
        cells = ["failed" if failed and place == 0 else _shown(row[key], form)
                 for place, (_, key, form) in enumerate(COLUMNS)]  # fmt: skip
        lines.append((str(label), cells))
    return lines


def _notes(comparison: Comparison) -> list[str]:
    white = comparison.table().white.mean()
    return [note.format(white=white) for note in NOTES]


def terminal(comparison: Comparison) -> Table:
    """Return the means as a table of 80 columns."""
    number = len(comparison.said)
    title = Text(f"{number} photograph{'s' if number > 1 else ''}, means in gray levels; no original is known")
    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False, width=80)
    table.add_column("method", overflow="fold", max_width=NARROW)
    for head, _, _ in COLUMNS:
        table.add_column(head, justify="right", no_wrap=True)
    for label, cells in _lines(comparison):
        table.add_row(Text(plain(label)), *cells)
    return table


def build(comparison: Comparison) -> str:
    """Return the page. Its pictures are the files beside it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    stops = matplotlib.colormaps[PHI_COLOURS](np.linspace(0, 1, STOPS), bytes=True)[:, :3].tolist()
    return environment.get_template("compare.html.j2").render(
        style=Markup("\n".join(path.read_text("utf-8") for path in STYLES)),
        heads=[head for head, _, _ in COLUMNS],
        lines=_lines(comparison),
        reading=_notes(comparison),
        notes=comparison.notes,
        methods=comparison.methods,
        agreement=_matrix(comparison.agreement()),
        photographs=[_photograph(comparison, name) for name in comparison.said],
        span=f"{SPAN:g}",
        ramp=", ".join(f"rgb({r} {g} {b})" for r, g, b in stops),
    )


def _matrix(agreement: np.ndarray) -> list[list[tuple[str, int]]]:
    """Return every cell's text and its share of the largest difference in percent."""
    finite = agreement[np.isfinite(agreement)]
    largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    return [[(_shown(v, ".2f"), round(100 * v / largest) if math.isfinite(v) else 0) for v in row] for row in agreement]


def _photograph(comparison: Comparison, name: str) -> dict[str, Any]:
    mine = [cell for cell in comparison.cells if cell.photograph == name]
    return {
        "name": name,
        "said": comparison.said[name],
        "picture": _address(RESULTS, name, PHOTOGRAPH),
        "cells": [_cell(cell) for cell in mine],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    file = f"{file_name(cell.method)}.png"
    keys = [column for column in COLUMNS if column[1] != "differs"]
    return {
        "method": cell.method,
        "failure": cell.failure,
        "facts": " · ".join(
            f"{head} {_shown(cell.numbers[key], form)}" for head, key, form in keys if key in cell.numbers
        ),
        "result": _address(RESULTS, cell.photograph, file),
        "removed": _address(REMOVED, cell.photograph, file),
        "phi": _address(PHI, cell.photograph, file) if cell.has_phi else None,
    }


def _address(*parts: str) -> str:
    return "/".join(quote(part) for part in parts)
