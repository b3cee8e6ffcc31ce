"""The blocks of results in README.md and results/README.md: written from the records, so that no number is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.folder.run_folder import RunFolder
from benchmarks.regenerate import FACTS, RESULTS, ROOT, committed, listed, there
from benchmarks.tables.column import fixed, interval, table_of
from benchmarks.tables.pairs import undecided
from benchmarks.tables.render import markdown_table
from benchmarks.tables.summary import BEST, TIED, Summary, summarise
from datasets.errors import SuiteError
from datasets.files import write_atomically

BEGIN, END = "<!-- results: python -m benchmarks.regenerate --readme -->", "<!-- end of results -->"


def read(folder: str) -> Summary:
    """Summarise the stored records of a committed run.

    Raises:
        SuiteError: it has not been made.
    """

    path = committed(folder)
    if not (path / FACTS).exists():
        raise SuiteError(f"results/{folder} is not there: python -m benchmarks regenerate {folder}")
    run = RunFolder(path)
    return summarise(run.records, run.facts)


def overview() -> str:
    """Return the table of all committed runs: the best honest row of each, and those not significantly worse."""

    lines = []
    for folder in there():
        summary = read(folder)
        first = summary.first
        marks = summary.table[f"{first.name}_mark"]
        best = summary.table[marks == BEST]
        if best.empty:
            continue
        row = best.iloc[0]
        score = f"{first.title} {fixed(row[first.name], first.decimals)} {first.unit}".rstrip()
        ends = interval(row[f"{first.name}_low"], row[f"{first.name}_high"], first.decimals)
        tied = undecided(summary.pairs, first.name) or ", ".join(summary.table.method[marks == TIED])
        lines.append([f"[{folder}]({folder}/summary.md)", str(row.images), row.method, f"{score} {ends}", tied])
    heads = ["run", "images", "best", "score", "not significantly worse"]
    return markdown_table(heads, lines, [True, False, True, True, True])


def readme_table() -> str:
    """Return the README's table: some rows of one committed run, and where they were measured."""

    folder, rows = listed().readme
    summary, facts = read(folder), RunFolder(committed(folder)).facts
    chosen = replace(summary, table=summary.table[summary.table.method.isin(rows)])
    wanted = ("method", *(measure.name for measure in summary.metrics), "phi_mean", "seconds")
    columns = [column for column in table_of(chosen, intervals="none").columns if column.key in wanted]
    lines = [[cell.text or cell.absent for cell in line] for line in zip(*(c.cells for c in columns), strict=True)]
    table = markdown_table([column.head for column in columns], lines, [not column.numeric for column in columns])
    processor, cores = facts.hardware["processor"], facts.hardware["cores"]
    origin = f"Measured at commit {facts.commit[:10]} on {cores} core{'' if cores == 1 else 's'} ({processor})."
    more = f"[The whole table](results/{folder}/summary.md) has {len(summary.table)} rows, with intervals and pairs."
    return "\n\n".join([f"**{summary.title}**", table, f"{origin} {more}"])


def rewrite(path: Path, block: Callable[[], str]) -> None:
    """Put a block between the marks of a file.

    Raises:
        SuiteError: the file has lost the marks.
    """
    head, begin, rest = path.read_text("utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SuiteError(f"{path} has no block between '{BEGIN}' and '{END}'.")
    write_atomically(path, f"{head}{BEGIN}\n\n{block()}\n\n{END}{tail}".encode())


def rewrite_blocks() -> None:
    """Rewrite the blocks of both files."""
    rewrite(ROOT / "README.md", readme_table)
    rewrite(RESULTS / "README.md", overview)
