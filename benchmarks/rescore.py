"""Score kept restorations again, under any protocol, without restoring: `python -m benchmarks.rescore DIR`.

Writes DIR/rescored-PROTOCOL/ with records.csv, run.json, tables and figures; DIR itself is left as it is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import environment
from benchmarks.outputs import write_reports
from benchmarks.plan import read_run, write_facts
from benchmarks.protocol import get_protocol
from benchmarks.records import Record, RecordFile
from benchmarks.scoring import Scorer
from benchmarks.store import Store
from benchmarks.summary import to_terminal
from datasets.cli import console, guarded
from datasets.errors import SuiteError
from datasets.task import get_task


def rescore(source: Path, protocol: str, device: str) -> int:
    """Score every kept restoration of a run under a protocol.

    Returns:
        0; 1 if records of the run have no kept image (they are named, and their cells are left out).

    Raises:
        SuiteError: no run, no kept images, an unreadable array.
    """
    run = read_run(source)
    store = Store(source)
    task = get_task(run["task"], **run["parameters"])
    chosen = get_protocol(protocol)
    names = tuple(name for name in task.metrics if chosen.metric(name).unavailable() is None)
    scorer = Scorer(protocol, names, device)
    known = RecordFile(source / "records.csv").load().records
    fresh: list[Record] = []
    with torch.inference_mode():
        for image in store.saved():
            clean, mask = store.truth(image)
            prepared = scorer.prepare(clean.to(device), mask.to(device))
            for row in store.rows(image):
                old = known.get((image, row))
                if old is None or old.error:
                    continue
                scores = scorer.score(prepared, store.restoration(image, row).to(device))
                values: dict[str, Any] = dict.fromkeys(run["metrics"])
                fresh.append(replace(old, **values | {name: float(value) for name, value in scores.items()}))
    if not fresh:
        raise SuiteError(f"{source} holds no restoration that belongs to one of its records.")
    out = source / f"rescored-{protocol}"
    out.mkdir(exist_ok=True)
    target = RecordFile(out / "records.csv")
    target.records = {record.key: record for record in fresh}
    target.rewrite({key: place for place, key in enumerate(known)})
    missing = [key for key, record in known.items() if not record.error and key not in target.records]
    facts = run | {
        "protocol": protocol,
        "metrics": list(names),
        "signatures": {name: chosen.metric(name).signature for name in names},
        "rescored_from": str(source.name),
        "commit": environment.commit(),
        "counts": run["counts"] | {"done": len(fresh)},
    }
    summary = write_reports(out, target.frame(), facts)
    write_facts(out, facts)
    console().print(to_terminal(summary))
    for note in summary.notes:
        print(note)
    if missing:
        print(f"{len(missing)} records have no kept image, for instance {missing[0][1]} on {missing[0][0]}.")
    print(f"Tables, figures and records: {out}")
    return 1 if missing else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.rescore", description="Score kept restorations again.")
    p.add_argument("folder", type=Path, help="folder of a run made with --save-images")
    p.add_argument("--protocol", default="paper", help="standard or paper (default: paper)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    arguments = p.parse_args(argv)
    return rescore(arguments.folder, arguments.protocol, environment.resolve_device(arguments.device))


if __name__ == "__main__":
    sys.exit(guarded(main))
