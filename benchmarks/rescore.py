"""Score what is restored already, under any protocol or metrics: `python -m benchmarks score DIR`.

Of a run with --save-images: writes DIR/rescored-PROTOCOL/ with records.csv, run.json, tables and figures; DIR itself is
left as it is. With --as NAME, of a folder of results that were made elsewhere: a run of the setting that was exported
(see `benchmarks.exchange.export`), with the results as a row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datasets.cli import guarded
from datasets.errors import SuiteError
from datasets.spec import Spec, parse


def rescore(source: Path, protocol: str, device: str, metrics: str | None = None) -> int:
    """Score every kept restoration of a run under a protocol.

    Args:
        source: folder of a run made with --save-images.
        device: auto, cpu, cuda or cuda:N.
        metrics: specs; those of the task if None.

    Returns:
        0; 1 if records of the run have no kept image (they are named, and left out).

    Raises:
        SuiteError: no run, no kept images, an unreadable array, or a folder of results that is a link.
    """
    # Imported here: a question for --help does not wait for torch.
    import torch

    from benchmarks.executors.clock import limit_threads
    from benchmarks.folder import provenance
    from benchmarks.folder.records import Record, RecordFile
    from benchmarks.folder.run_folder import FACTS, RECORDS, RunFolder
    from benchmarks.scores.protocol import get_protocol
    from benchmarks.scores.scorer import Scorer
    from benchmarks.tables.outputs import write_reports
    from benchmarks.tables.terminal import show

    device = provenance.resolve_device(device)
    limit_threads()  # as the workers of a run, so that its scores come out again to the last bit
    folder = RunFolder(source)
    old, known = folder.facts, folder.record_file().records
    task, chosen = old.setting.task, get_protocol(protocol)
    asked = chosen.measures(task.metrics if metrics is None else metrics)
    measures = tuple(m for m in asked if not m.of_set and m.metric.unavailable() is None)
    scorer = Scorer(measures, device)
    fresh: list[Record] = []
    with torch.inference_mode():
        for image in folder.pictures.saved():
            clean, mask = folder.pictures.truth(image)
            prepared = scorer.prepare(clean, mask)
            for row in old.rows:
                record = known.get((image, row))
                if record is None or record.error or not folder.pictures.has_saved(row, image):
                    continue
                scores = scorer.score(prepared, folder.pictures.restoration(image, row))
                level = {task.level: record.values.get(task.level)} if task.level else {}
                values = {**level, **{name: float(value) for name, value in scores.items()}}
                fresh.append(replace(record, values=values))
    if not fresh:
        raise SuiteError(f"{source} holds no restoration that belongs to one of its records.")
    out = RunFolder(source / f"rescored-{protocol}")
    if out.path.is_symlink():
        raise SuiteError(f"{out.path} is a link and is not written through: remove it.")
    place = {key: number for number, key in enumerate(known)}
    scored = {record.key for record in fresh}
    missing = [key for key, record in known.items() if not record.error and key not in scored]
    facts = replace(
        old,
        setting=replace(old.setting, protocol=chosen),
        measures=measures,
        rescored_from=folder.name,
        commit=provenance.commit(),
        counts=replace(old.counts, done=len(fresh)),
    )
    with out.locked():
        # Without its facts a folder is no run: one that was killed amid the writing is never read as whole.
        (out.path / FACTS).unlink(missing_ok=True)
        target = RecordFile(out.path / RECORDS, (*([task.level] if task.level else []), *scorer.metrics))
        target.records = {record.key: record for record in fresh}
        target.rewrite(place)
        summary = write_reports(out, target.frame(), facts)
        out.write_facts(facts)
    show(summary)
    if missing:
        print(f"{len(missing)} records have no kept image, for instance {missing[0][1]} on {missing[0][0]}.")
    print(f"Tables, figures and records: {out.path}")
    return 1 if missing else 0


def commands(arguments: argparse.Namespace) -> list[list[str]]:
    """Return the runs that score results made elsewhere, one for each exported setting, as words of `benchmarks.run`.

    Raises:
        SuiteError: there is no observations.json, no folder with the results of a setting, or the row's name is none.
    """
    from datasets.exchange import MANIFEST, read_observations

    results = arguments.folder.resolve()
    source = results if arguments.observations is None else arguments.observations.resolve()
    several = not (source / MANIFEST).is_file()
    names = sorted(path.parent.name for path in source.glob(f"*/{MANIFEST}")) if several else [""]
    if not names:
        raise SuiteError(f"{source} has no {MANIFEST}: give the folder of the export with --observations.")
    made, more = [], [arguments.methods] if arguments.methods else []
    for name in names:
        exported = read_observations(source / name)
        if not (results / name).is_dir():
            raise SuiteError(f"{results / name} is no folder: put the results for {exported.label} there.")
        apart = (("observations", str(source / name)),) if source != results else ()
        row = Spec("folder", (("path", str(results / name)), *apart), arguments.row)
        try:
            whole = parse(str(row)) == row
        except SuiteError:
            whole = False
        if not whole:
            raise SuiteError(f"--as '{arguments.row}' cannot be the name of a row: take letters and digits.")
        options = {
            "task": exported.task_spec, "dataset": exported.dataset_spec, "split": exported.split,
            "seed": exported.seed, "limit": exported.limit, "methods": ",".join([str(row), *more]),
            "protocol": arguments.protocol,
            "metrics": arguments.metrics, "device": arguments.device,
            "out": None if arguments.out is None else arguments.out / name,
        }  # fmt: skip
        made.append([f"--{option}={value}" for option, value in options.items() if value is not None])
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    p = argparse.ArgumentParser(prog="python -m benchmarks score", description="Score what is restored already.")
    p.add_argument("folder", type=Path, help="folder of a run made with --save-images; with --as, of results that "
                   "were made elsewhere, or of several such folders named as those of the export")  # fmt: skip
    p.add_argument("--as", dest="row", metavar="NAME", help="score results made elsewhere, as a row of this name")
    p.add_argument("--methods", help="with --as: more rows to run beside it, as in nlm,own=checkpoint[file=net.pth]")
    p.add_argument("--observations", type=Path, help="with --as: folder of the export (default: that of the results)")
    p.add_argument("--out", type=Path, help="with --as: folder of the run (default: as `run` chooses it)")
    p.add_argument("--protocol", help="standard or paper (default: paper; with --as standard)")
    p.add_argument("--metrics", help="specs of metrics (default: the task's)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    arguments = p.parse_args(argv)
    if arguments.row is not None:
        from benchmarks import run

        return max([run.main(words) for words in commands(arguments)])
    if (
        arguments.methods
        or arguments.observations
        or arguments.out
        or (arguments.folder / "observations.json").is_file()
    ):
        raise SuiteError("results made elsewhere are scored as a row: name it, as in --as mine.")
    return rescore(arguments.folder, arguments.protocol or "paper", arguments.device, arguments.metrics)


if __name__ == "__main__":
    sys.exit(guarded(main))
