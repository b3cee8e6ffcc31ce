"""Text that others wrote (names, labels, errors) for each kind of output: it is shown, and never understood.

For the terminal `rich.text.Text` is used, which reads no markup.
"""

from __future__ import annotations

import unicodedata

import pandas as pd

from benchmarks.folder.records import shielded

HIDDEN_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, halves of surrogate pairs, separators of lines."""
DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of writing round, so that a text reads as another."""

MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\|`*_~<&"})

TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
        "|": r"\textbar{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$", "φ": r"$\varphi$",
        "σ": r"$\sigma$", "∞": r"$\infty$", "×": r"$\times$", "–": "--", "−": "$-$",
    }
)  # fmt: skip


def plain(text: str) -> str:
    """Return text on one line, control characters and the like as escape sequences (`\\x1b`)."""
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    if letter in "\n\r\t":
        return " "
    hidden = unicodedata.category(letter) in HIDDEN_CATEGORIES or letter in DIRECTIONS
    return letter.encode("unicode_escape").decode() if hidden else letter


def markdown(text: str) -> str:
    """Return text for a line or a table cell of Markdown. Brackets stay, but make no link or picture."""
    return plain(text).translate(MARKDOWN).replace("](", r"]\(").replace("][", r"]\[").replace("]:", r"]\:")


def markdown_note(text: str) -> str:
    """Return a sentence for Markdown that may have emphasis and code, but no HTML, link or picture."""
    return plain(text).replace("<", r"\<").replace("](", r"]\(")


def latex(text: str) -> str:
    """Return text for LaTeX, also for the beginning of a row, where a bracket or star would be read as of `\\\\`."""
    escaped = plain(text).translate(TEX)
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


def comma_separated(table: pd.DataFrame, float_format: str | None = None) -> str:
    """Return a table as CSV whose text no spreadsheet takes for a formula."""
    safe = table.map(lambda cell: shielded(cell) if isinstance(cell, str) else cell)
    return safe.to_csv(index=False, float_format=float_format)


def mathtext(text: str) -> str:
    """Return text for matplotlib, which reads what stands between two dollar signs as a formula."""
    return plain(text).replace("$", r"\$")
