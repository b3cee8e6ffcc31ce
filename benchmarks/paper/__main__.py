"""The paper's tables again: `python -m benchmarks.paper --table all [--verify]`.

What is stored is read; what is missing is run first (hours from nothing on two cores, and it can be killed and
resumed). `--stored` runs nothing.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import environment
from benchmarks.paper import cells, tables
from benchmarks.paper.experiments import EXPERIMENTS, TABLES, published
from benchmarks.paper.released import reproduce
from benchmarks.paper.runs import every, make_draws, make_main
from datasets.cli import guarded
from datasets.files import write_atomically

OUT = environment.ROOT / "results" / "paper"
PROVENANCE = "provenance.json"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=(__doc__ or "").split("\n")[0])
    p.add_argument("--table", choices=[*TABLES, "all"], default="all", help="which table (default: all)")
    which = "'all', or names: what to run if it is missing; {set} in a name stands for bedroom, church or conference, "
    p.add_argument("--methods", help=which + "as in mgan-{set} (default: the rows of `benchmarks.regenerate`)")
    p.add_argument("--device", default="cpu", help="cpu or cuda; GPU runs are kept in OUT/cuda (default: cpu)")
    p.add_argument("--stored", action="store_true", help="run nothing: tabulate what is stored")
    p.add_argument("--no-draws", action="store_true", help="do not run the other four draws of noise and masks")
    p.add_argument("--verify", action="store_true", help="check every cell; the status is 1 if one fails")
    p.add_argument("--analyses", action="store_true", help="also draw the analyses of φ")
    p.add_argument("--out", type=Path, default=OUT, help="folder of the tables (default: results/paper)")
    return p


def gather(out: Path) -> cells.Sources:
    """All that is stored."""
    reproduced, reasons = reproduce(out, compute=False)
    return cells.Sources(every(out), reproduced, reasons)


def write_table(out: Path, table: str, sources: cells.Sources, provenance: dict[str, Any]) -> pd.DataFrame:
    """Write table-NAME.csv, .md, .tex and the CSVs of its other parts, and return the cells of the paper's rows."""
    paper, suite = cells.paper_cells(sources, table), cells.suite_cells(sources, table)
    draws = cells.draw_cells(sources, table)
    networks = cells.network_cells(sources) if table == "I" else pd.DataFrame()
    for part, frame in (("", paper), ("-suite", suite), ("-draws", draws), ("-networks", networks)):
        if not frame.empty:
            text = frame.to_csv(index=False, float_format="%.6g")
            write_atomically(out / f"table-{table}{part}.csv", text.encode())
    markdown = tables.to_markdown(table, paper, suite, draws, networks, provenance)
    write_atomically(out / f"table-{table}.md", markdown.encode())
    write_atomically(out / f"table-{table}.tex", tables.to_latex(table, paper, suite).encode())
    return paper


def provenance_of(sources: cells.Sources, command: str) -> dict[str, Any]:
    """Where the tables come from: this command, and the stored runs that they were made from."""
    runs: dict[str, Any] = {}
    for experiment, run in sources.runs.items():
        metrics = dict.fromkeys(published(experiment.table).metric)
        runs[experiment.run] = [
            {
                "commit": facts["commit"],
                "began": facts["began"],
                "hardware": facts["hardware"],
                "signatures": [facts["signatures"][m] for m in metrics if m in facts["signatures"]],
            }
            for facts in run.facts.values()
        ]
    return {
        "command": command,
        "commit": environment.commit(),
        "versions": environment.versions(),
        "hardware": environment.hardware("cpu"),
        "runs": runs,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(given)
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    chosen = TABLES if arguments.table == "all" else (arguments.table,)
    if not arguments.stored:
        for experiment in (e for e in EXPERIMENTS if e.table in chosen):
            make_main(out, experiment, arguments.methods, arguments.device)
            if not arguments.no_draws and arguments.device == "cpu":
                make_draws(out, experiment)
        if "I" in chosen:
            for row, reason in reproduce(out)[1].items():
                print(f"not reproduced: {row}: {reason}", file=sys.stderr)
    sources = gather(out)
    provenance = provenance_of(sources, f"python -m benchmarks.paper {shlex.join(given)}".rstrip())
    papers = [write_table(out, table, sources, provenance) for table in chosen]
    write_atomically(out / PROVENANCE, (json.dumps(provenance, indent=2) + "\n").encode())
    if arguments.analyses:
        from benchmarks.paper.analyses import write_analyses  # drawing libraries take seconds to load

        for path in write_analyses(out, sources):
            print(path)
    for table in chosen:
        print(out / f"table-{table}.md")
    return verify(papers, sources) if arguments.verify else 0


def verify(papers: Sequence[pd.DataFrame], sources: cells.Sources) -> int:
    """Print the verdict of every cell and return 1 if one failed, else 0."""
    paper = pd.concat(papers, ignore_index=True)
    anchors = cells.anchors(sources.reproduced) if "I" in set(paper.table) else []
    for line in tables.verification(paper, anchors):
        print(line)
    counts = paper.verdict.value_counts().to_dict()
    for anchor in anchors:
        counts[anchor.verdict] = counts.get(anchor.verdict, 0) + 1
    print(", ".join(f"{counts.get(name, 0)} {name}" for name in (cells.PASS, cells.FAIL, cells.UNAVAILABLE)))
    return 1 if counts.get(cells.FAIL) else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
