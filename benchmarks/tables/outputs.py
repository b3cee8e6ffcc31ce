"""Write what a run's folder shows: tables and figures, all of them functions of the records."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from benchmarks.folder.facts import Facts
from benchmarks.folder.run_folder import RunFolder
from benchmarks.tables.escape import comma_separated
from benchmarks.tables.render import to_latex, to_markdown
from benchmarks.tables.summary import Summary, summarise
from datasets.files import write_atomically

STAMP = ".figures"
"""Holds the fingerprint of what the figures were drawn from, so that an unchanged run is not drawn again."""

ODD = "backslashreplace"
"""How names that are not UTF-8 are written."""


def write_reports(folder: RunFolder, records: pd.DataFrame, facts: Facts) -> Summary:
    """Write summary.csv, summary.md, summary.tex, pairs.csv and the figures of a run.

    Args:
        folder: where they are written, and the pictures are.
        records: table of records (see `records.frame`), errors included.
        facts: how they came about.

    Raises:
        SuiteError: there are no records, or a file cannot be written.
    """
    out = folder.path
    summary = summarise(records, facts, folder.pictures.features)
    write_atomically(out / "summary.csv", comma_separated(summary.table).encode(errors=ODD))
    write_atomically(out / "summary.md", to_markdown(summary).encode())
    write_atomically(out / "summary.tex", to_latex(summary).encode())
    write_atomically(out / "pairs.csv", comma_separated(summary.pairs, "%.6g").encode(errors=ODD))
    fingerprint = _fingerprint(folder, records, summary)
    stamp = out / STAMP
    if not stamp.exists() or stamp.read_text("utf-8") != fingerprint:
        # Imported here: drawing libraries take seconds to load, and worker processes never draw.
        from benchmarks.tables.figures import draw_all

        draw_all(folder, records, summary, facts)
        write_atomically(stamp, fingerprint.encode())
    return summary


def _fingerprint(folder: RunFolder, records: pd.DataFrame, summary: Summary) -> str:
    digest = hashlib.sha256(records.to_csv(index=False).encode(errors=ODD))
    digest.update(summary.table.to_csv(index=False).encode(errors=ODD))
    digest.update(Path(__file__).with_name("figures.py").read_bytes())
    previews = folder.pictures.previews
    for path in sorted(previews.glob("*/*.png")):
        digest.update(str(path.relative_to(previews)).encode(errors=ODD))
    return digest.hexdigest()
