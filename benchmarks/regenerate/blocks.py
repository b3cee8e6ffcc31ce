"""The blocks of results in README.md, results/README.md, docs/: made of what is stored, so that no number is typed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

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


def declared_implied() -> str:
    """Return the declared and the implied φ of every row of `reliance/photos`, by the latter."""
    found = sorted(_stored("reliance/photos/declared-implied.csv"), key=lambda line: line["implied"])
    lines = [
        # 0 is added, for −0 is written with its sign.
        [f"`{line['method']}`", fixed(line["declared"], 3) or "hidden", fixed(round(line["implied"], 3) + 0.0, 3)]
        for line in found
    ]
    return markdown_table(["row", "declared φ", "implied φ"], lines, [True, False, False])


def warnings() -> str:
    """Return what the predictors of error are worth that `results/runs.toml` names, over all sets of each study."""
    lines = []
    for folder, chosen in listed().warnings.items():
        stored = _stored(f"trust/{folder}/predictors.csv")
        for row, predictor in ((row, predictor) for row, predictors in chosen.items() for predictor in predictors):
            wanted = {"row": row, "set": "all sets", "predictor": predictor}
            found = next((line for line in stored if wanted.items() <= line.items()), None)
            if found is None:
                raise SuiteError(f"results/trust/{folder} has no {predictor} of {row}.")
            numbers = [fixed(found[name], 3) for name in ("ause", "ause_random")]
            rho = fixed(found["spearman"], 2, signed=True).replace("-", "−")
            lines.append([folder, f"`{row}`", f"`{predictor}`", rho, *numbers, str(found["images"])])
    heads = ["study", "row", "predictor", "ρ", "AUSE", "random", "images"]
    return markdown_table(heads, lines, [True, True, True, False, False, False, False])


def scene_prior() -> str:
    """Return what the scene prior reaches in every experiment of its study: the first score of a task, and LPIPS."""
    shown, lines = listed().scene_prior, []
    for path in sorted(committed("scene-prior").glob(f"*/{FACTS}")):
        summary = read(f"scene-prior/{path.parent.name}")
        table = {line["method"]: line for line in summary.table.to_dict("records")}
        first = summary.first
        for name, decimals, title in ((first.name, first.decimals, first.title), ("lpips", 4, "LPIPS")):
            found = (next((table[row] for row in rows if row in table), {}) for rows in shown.values())
            values = [fixed(each.get(name, math.nan), decimals) for each in found]
            lines.append([path.parent.name, title, *values])
    return markdown_table(["experiment", "score", *shown], lines, [True, True, *(False for _ in shown)])


def _stored(file: str) -> list[dict[str, Any]]:
    if not committed(file).exists():
        raise SuiteError(f"results/{file} is not there: python -m benchmarks regenerate {Path(file).parent}")
    lines = pd.read_csv(committed(file)).to_dict("records")
    return [{str(name): value for name, value in line.items()} for line in lines]


BLOCKS: dict[Path, Callable[[], str]] = {
    ROOT / "README.md": readme_table,
    RESULTS / "README.md": overview,
    ROOT / "docs" / "methods.md": declared_implied,
    ROOT / "docs" / "how-far-to-trust.md": warnings,
    ROOT / "docs" / "notebook" / "priors.md": scene_prior,
}
"""File → what stands between its marks."""


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
    """Rewrite the blocks of all files."""
    for path, block in BLOCKS.items():
        rewrite(path, block)
