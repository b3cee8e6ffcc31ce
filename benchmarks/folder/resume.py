"""What of an earlier run in the same folder stays when the command is given again, and what is measured anew."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace

from benchmarks.folder.facts import Counts, Facts
from benchmarks.folder.records import RecordFile
from benchmarks.folder.run_folder import RunFolder
from datasets.errors import SuiteError


def earlier_run(folder: RunFolder, new: Facts) -> Facts | None:
    """Return the facts of an earlier run in the folder, or None.

    Raises:
        SuiteError: it is a run of something else: another setting, other images, or metrics of other signatures.
    """
    old = folder.earlier()
    if old is None:
        return None
    differs = new.setting.difference(old.setting) or _other_images(old, new) or _other_signature(old, new)
    if differs:
        raise SuiteError(f"{folder.path} holds another run ({differs}): choose another --out, or give --fresh.")
    return old


def _other_images(old: Facts, new: Facts) -> str | None:
    for name, digest in new.images.items():
        if old.images.get(name, digest) != digest:
            return f"image {name} has changed"
    # A folder that has grown and --limit are the same set; two folders of one name are not.
    if not (set(new.images) <= set(old.images) or set(old.images) <= set(new.images)):
        return f"its images are others, such as {min(set(old.images) - set(new.images))}"
    return None


def _other_signature(old: Facts, new: Facts) -> str | None:
    known = {measure.name: measure.signature for measure in old.measures}
    for measure in new.measures:
        if known.get(measure.name, measure.signature) != measure.signature:
            return f"{measure.name} is {known[measure.name]} there, {measure.signature} now"
    return None


def stale_rows(old: Facts, new: Facts, refresh: Collection[str] = ()) -> dict[str, str]:
    """Return the rows of a folder whose records would come out differently today, each with the reason."""
    stale = {}
    for label, row in new.rows.items():
        if label not in old.rows:
            continue
        known = old.rows[label]
        metrics = [name for name, now in row.metrics.items() if known.metrics.get(name, now) != now]
        if label in refresh:
            stale[label] = "asked for by --refresh"
        elif known.spec != row.spec:
            stale[label] = f"it was {known.spec} and is {row.spec} now"
        elif known.fingerprint != row.fingerprint:
            stale[label] = "its code, parameters or files have changed since it was measured"
        elif metrics:
            stale[label] = f"{', '.join(metrics)}: the metric has changed since it was measured"
    return stale


def forget_stale(
    folder: RunFolder, old: Facts, new: Facts, records: RecordFile, refresh: Collection[str], keep: bool
) -> Facts:
    """Take out the records of rows that have changed, unless they are to be kept.

    They are copied aside first, and every row is named on stderr.

    Args:
        refresh: labels of rows that are measured again in any case.
        keep: keep the records of all others.

    Returns:
        the earlier facts, without the rows that are measured again.
    """
    stale = stale_rows(old, new, refresh)
    if keep:
        for label in [label for label in stale if label not in refresh]:
            print(f"warning: {label}: {stale.pop(label)}; its records are kept, as asked.", file=sys.stderr)
    gone = [key for key in records.records if key[1] in stale]
    for label, reason in stale.items():
        print(f"note: {label}: {reason}; it is measured again.", file=sys.stderr)
    if gone:
        print(f"note: the earlier records are kept in {folder.copy_aside()}.", file=sys.stderr)
        records.forget(gone)
    return replace(old, rows={label: row for label, row in old.rows.items() if label not in stale})


def merge(old: Facts | None, new: Facts) -> Facts:
    """The facts of a folder to which a second run adds rows, images or metrics: the union, with the newest arguments.

    Fingerprints of what is there already stay, since its records do.
    """
    if old is None:
        return new
    rows = {**old.rows}
    for label, row in new.rows.items():
        known = old.rows.get(label, row)
        rows[label] = replace(known, metrics={**row.metrics, **known.metrics})
    images = {**old.images, **new.images}
    columns = [measure.name for measure in old.measures]
    before = {"arguments": old.arguments, "commit": old.commit, "versions": old.versions, "began": old.began}
    return replace(
        new,
        label=old.label,
        rows=rows,
        images=images,
        weights={**old.weights, **new.weights, **old.weights},
        measures=(*old.measures, *(measure for measure in new.measures if measure.name not in columns)),
        counts=Counts(len(images), len(images) * len(rows)),
        seconds=old.seconds,  # of the last run that had something to do
        earlier=(*old.earlier, before),
        stamped=old.stamped,
    )
