"""The command `python -m benchmarks.paper`, once its line has been read: run what is missing, tabulate, verify."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.folder import provenance as environment
from benchmarks.paper import cells, tables
from benchmarks.paper.experiments import EXPERIMENTS, TABLES, published
from benchmarks.paper.places import Places, places_of
from benchmarks.paper.released import Release
from benchmarks.paper.reproduction import reproduce
from benchmarks.paper.runs import every, make_draws, make_main
from datasets.files import write_atomically

PROVENANCE = "provenance.json"
DIGITS = "%.6g"


def gather(places: Places) -> cells.Sources:
    """All that is stored."""
    reproduced, reasons = reproduce(places.inputs, places.out, compute=False)
    return cells.Sources(every(places), Release.read(places.inputs), reproduced, reasons)


def write_table(out: Path, table: str, sources: cells.Sources, provenance: dict[str, Any]) -> pd.DataFrame:
    """Write table-NAME.csv, .md, .tex and the CSVs of its other parts, and return the cells of the paper's rows."""
    paper, suite = cells.paper_cells(sources, table), cells.suite_cells(sources, table)
    draws = cells.draw_cells(sources, table)
    networks = cells.network_cells(sources) if table == "I" else pd.DataFrame()
    for part, frame in (("", paper), ("-suite", suite), ("-draws", draws), ("-networks", networks)):
        if not frame.empty:
            text = frame.to_csv(index=False, float_format=DIGITS)
            write_atomically(out / f"table-{table}{part}.csv", text.encode())
    markdown = tables.to_markdown(table, paper, suite, draws, networks, provenance)
    write_atomically(out / f"table-{table}.md", markdown.encode())
    write_atomically(out / f"table-{table}.tex", tables.to_latex(table, paper, suite).encode())
    return paper


def provenance_of(sources: cells.Sources, command: str) -> dict[str, Any]:
    """Where the tables come from: this command, and the stored runs that they were made from."""
    runs: dict[str, Any] = {}
    for experiment, run in sources.runs.items():
        metrics = set(published(experiment.table).metric)
        runs[experiment.run] = [
            {
                "commit": facts.commit,
                "began": facts.began,
                "hardware": facts.hardware,
                "signatures": [measure.signature for measure in facts.measures if measure.name in metrics],
            }
            for facts in run.facts
        ]
    return {
        "command": command,
        "commit": environment.commit(),
        "versions": environment.versions(),
        "hardware": environment.hardware("cpu"),
        "runs": runs,
    }


def carry_out(arguments: Namespace, given: Sequence[str]) -> int:
    """Do what a command line asks for and return the exit status.

    Args:
        arguments: as read.
        given: the words of the command line.
    """
    places = places_of(arguments)
    chosen = TABLES if arguments.table == "all" else (arguments.table,)
    if not arguments.stored:
        for experiment in (e for e in EXPERIMENTS if e.table in chosen):
            make_main(places, experiment, arguments.methods, arguments.device)
            if not arguments.no_draws and arguments.device == "cpu":
                make_draws(places, experiment)
        if "I" in chosen:
            for row, reason in reproduce(places.inputs, places.out)[1].items():
                print(f"not reproduced: {row}: {reason}", file=sys.stderr)
    sources = gather(places)
    provenance = provenance_of(sources, f"python -m benchmarks.paper {shlex.join(given)}".rstrip())
    papers = [write_table(places.out, table, sources, provenance) for table in chosen]
    sources.release.write(places.out)
    write_atomically(places.out / PROVENANCE, (json.dumps(provenance, indent=2) + "\n").encode())
    if arguments.analyses:
        from benchmarks.paper.analyses import write_analyses  # drawing libraries take seconds to load

        for path in write_analyses(places.out, sources):
            print(path)
    for table in chosen:
        print(places.out / f"table-{table}.md")
    return verify(papers, sources) if arguments.verify else 0


def verify(papers: Sequence[pd.DataFrame], sources: cells.Sources) -> int:
    """Print the verdict of every cell and how many there are of each, and return 1 if one fails, else 0."""
    paper = pd.concat(papers, ignore_index=True)
    anchors = cells.anchors(sources) if "I" in set(paper.table) else []
    for line in tables.verification(paper, anchors):
        print(line)
    print("\n" + "\n".join(tables.tally(paper, anchors)))
    return 1 if cells.FAILS in {*paper.verdict, *(anchor.verdict for anchor in anchors)} else 0
