"""Verdicts as lines for a terminal of 80 columns, as CSV and as Markdown. Pure functions of verdicts."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from benchmarks.literature.tables import Table
from benchmarks.literature.verdicts import NOT_HERE, VERDICTS, Verdict

WIDTH = 80
PUBLISHED, OURS = 54, 8
"""Characters of a method with what is printed of it, and of ours; the rest is the verdict's."""


def frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One line for each cell, everything that is known of it."""
    return pd.DataFrame([
        {
            "testset": verdict.cell.testset,
            **dict(verdict.cell.level),
            "method": verdict.cell.method,
            "metric": verdict.cell.metric,
            "published": " | ".join(verdict.cell.distinct),
            "row": verdict.cell.counterpart.row,
            "value": verdict.value,
            "difference": verdict.difference,
            "tolerance": verdict.cell.tolerance,
            "verdict": verdict.word,
            "nearest_source": verdict.source,
            "reason": verdict.reason,
        }
        for verdict in verdicts
    ])  # fmt: skip


def printed(verdict: Verdict) -> str:
    """What the sources print: one value, or the least and the greatest, marked where no value would suit them all."""
    values = verdict.cell.distinct
    span = values[0] if len(values) == 1 else f"{values[0]}–{values[-1]}"
    return f"{span} ≠" if verdict.cell.disagree else span


def ours(verdict: Verdict) -> str:
    """Our value with as many digits as are printed of it."""
    if verdict.value is None:
        return "–"
    digits = max(len(value.partition(".")[2]) for value in verdict.cell.distinct)
    return f"{verdict.value:.{min(digits, 4)}f}"


def lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A heading for every set and level, a line for every cell, and why what is not here is not."""
    reasons = reasons_of(verdicts)
    place = ""
    for verdict in verdicts:
        if verdict.cell.place != place:
            place = verdict.cell.place
            yield ""
            yield place
        one = len(verdict.cell.table.metrics) == 1
        name = verdict.cell.method if one else f"{verdict.cell.method} {verdict.cell.metric}"
        note = f" ({reasons.index(verdict.reason) + 1})" if verdict.word == NOT_HERE else ""
        span = printed(verdict)
        left = _cut(name, PUBLISHED - len(span) - 1)
        yield f"  {left}{span:>{PUBLISHED - len(left)}} {ours(verdict):>{OURS}} {verdict.word}{note}"
    if reasons:
        yield ""
        yield "not here:"
        for number, reason in enumerate(reasons, start=1):
            yield from textwrap.wrap(f"({number}) {reason}", WIDTH, initial_indent="  ", subsequent_indent="      ")


def reasons_of(verdicts: Sequence[Verdict]) -> list[str]:
    """Why cells are not here, each reason once, in the order in which they are met."""
    return list(dict.fromkeys(verdict.reason for verdict in verdicts if verdict.word == NOT_HERE))


def tally(table: Table, verdicts: Sequence[Verdict]) -> list[str]:
    """How many cells there are of each verdict, and of how many the sources disagree."""
    counted = {word: sum(verdict.word == word for verdict in verdicts) for word in VERDICTS}
    found = [f"{table.title}: {len(verdicts)} cells"]
    found += [f"  {count:4} {word}: {VERDICTS[word]}" for word, count in counted.items() if count]
    disagree = sum(verdict.cell.disagree for verdict in verdicts)
    if disagree:
        found.append(f"  {disagree:4} with sources that disagree (≠)")
    return found


def markdown(table: Table, verdicts: Sequence[Verdict]) -> str:
    """A table of what was compared, and a list of what could not be."""
    head = ("set", *table.level, "method", "metric", "published", "row", "ours", "Δ", "verdict")
    rows = [
        (
            verdict.cell.testset,
            *(value for _, value in verdict.cell.level),
            verdict.cell.method,
            verdict.cell.metric,
            printed(verdict),
            verdict.cell.counterpart.row,
            ours(verdict),
            "" if verdict.difference is None else f"{verdict.difference:+.{len(ours(verdict).partition('.')[2])}f}",
            verdict.word,
        )
        for verdict in verdicts
        if verdict.word != NOT_HERE
    ]
    parts = [f"# {table.title[0].upper()}{table.title[1:]}: the published cells", ""]
    first, *counts = tally(table, verdicts)
    parts += [f"{first}.", "", *(f"- {line.strip()}" for line in counts), ""]
    if rows:
        parts += [_line(head), _line(["---"] * len(head)), *map(_line, rows), ""]
    remarks = {v.cell.method: v.reason for v in verdicts if v.word != NOT_HERE and v.reason}
    parts += [f"- {method}: {reason}." for method, reason in remarks.items()] + ([""] if remarks else [])
    if reasons_of(verdicts):
        parts += ["## Not here", "", _line(("why", "cells", "methods")), _line(["---"] * 3)]
        for reason in reasons_of(verdicts):
            mine = [v for v in verdicts if v.word == NOT_HERE and v.reason == reason]
            parts.append(_line((reason, str(len(mine)), _families(mine))))
        parts.append("")
    return "\n".join(parts)


def _families(verdicts: Sequence[Verdict]) -> str:
    """The methods, those that differ only in what stands in brackets in one: `bf-unet (4 of them)`."""
    methods = dict.fromkeys(verdict.cell.method for verdict in verdicts)
    counted = Counter(method.partition(" (")[0] for method in methods)
    return ", ".join(name if count == 1 else f"{name} ({count} of them)" for name, count in counted.items())


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', '∣') for value in values)} |"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
