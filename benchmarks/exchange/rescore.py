"""Score the kept restorations of a run again, under any protocol or metrics.

Writes DIR/rescored-PROTOCOL/ with records.csv, run.json, tables and figures; DIR itself is left as it is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from datasets.errors import SuiteError


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
