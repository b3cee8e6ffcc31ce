"""A summary as text: in Markdown and in LaTeX. What others wrote is escaped here."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.tables import escape
from benchmarks.tables.column import Table, table_of
from benchmarks.tables.summary import BEST, TIED, Summary

SIGNS = {BEST: "*", TIED: "+", "": ""}
"""As the notes explain them."""


def to_markdown(summary: Summary) -> str:
    """The table in Markdown: best in bold, signs as in the notes."""
    made = table_of(summary)
    lines = [[_markdown_cell(cell.whole, cell.mark) for cell in line.cells] for line in made.lines]
    notes = [f"{escape.markdown_note(note)}  " for note in summary.notes]
    heads = [escape.markdown(column.head) for column in made.columns]
    table = markdown_table(heads, lines, [not column.numeric for column in made.columns])
    return "\n".join([f"# {escape.markdown(summary.title)}", "", table, "", *notes]) + "\n"


def _markdown_cell(text: str, mark: str) -> str:
    escaped, sign = escape.markdown(text), SIGNS[mark].replace("*", "\\*")
    return f"**{escaped}**{sign}" if mark == BEST else f"{escaped}{sign}"


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[bool]) -> str:
    """Return a table in Markdown from cells that have been escaped.

    Args:
        left: for each column whether it is flush left; numbers are flush right.
    """
    rule = [" --- " if flush else " ---: " for flush in left]
    written = ["| " + " | ".join(line) + " |" for line in (heads, *lines)]
    return "\n".join([written[0], "|" + "|".join(rule) + "|", *written[1:]])


def to_latex(summary: Summary) -> str:
    """The table in LaTeX (booktabs): best in bold, not significantly worse underlined; intervals are in the CSV."""
    made = table_of(summary, intervals="none")
    signatures = ", ".join(measure.signature for measure in (*summary.metrics, *summary.set_metrics))
    caption = (
        f"{escape.latex(summary.title)}. Bold: best; underlined: not significantly worse (Wilcoxon, Holm over all "
        r"pairs, 5\%). $\Delta$: mean difference to the best; wins: images on which a row beats it. "
        f"{escape.latex(signatures)}."
    )
    alignment = "".join("r" if column.numeric else "l" for column in made.columns)
    head = " & ".join(escape.latex(column.head) for column in made.columns) + r" \\"
    return latex_table(alignment, [head], _latex_lines(made), caption)


def latex_table(alignment: str, heads: Sequence[str], lines: Sequence[str], caption: str) -> str:
    """Return a table in LaTeX (booktabs) from lines and a caption that have been escaped.

    Args:
        alignment: a letter for each column, as `tabular` has them.
    """
    return "\n".join(
        [
            r"% requires \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            *heads,
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{caption}}}",
            r"\end{table}",
        ]
    ) + "\n"  # fmt: skip


def _latex_lines(made: Table) -> list[str]:
    wraps = {BEST: r"\textbf{%s}", TIED: r"\underline{%s}", "": "%s"}
    return [" & ".join(wraps[cell.mark] % escape.latex(cell.whole) for cell in line.cells) + r" \\"
            for line in made.lines]  # fmt: skip
