"""Write what a run's folder shows: tables and figures, all of them functions of the records."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.environment import ROOT
from benchmarks.summary import Summary, summarise, to_latex, to_markdown
from datasets.files import write_atomically

STAMP = ".figures"
"""Holds the fingerprint of what the figures were drawn from, so that an unchanged run is not drawn again."""


def write_reports(out: Path, records: pd.DataFrame, run: dict[str, Any]) -> Summary:
    """Write summary.csv, summary.md, summary.tex, pairs.csv and the figures of a run.

    Raises:
        SuiteError: there are no records, or a file cannot be written.
    """
    summary = summarise(records, run)
    write_atomically(out / "summary.csv", summary.table.to_csv(index=False).encode())
    write_atomically(out / "summary.md", to_markdown(summary).encode())
    write_atomically(out / "summary.tex", to_latex(summary).encode())
    write_atomically(out / "pairs.csv", summary.pairs.to_csv(index=False, float_format="%.6g").encode())
    fingerprint = _fingerprint(out, records)
    stamp = out / STAMP
    if not stamp.exists() or stamp.read_text() != fingerprint:
        # Imported here: drawing libraries take seconds to load, and worker processes never draw.
        from benchmarks.figures import draw_all

        draw_all(out, records, summary, run)
        write_atomically(stamp, fingerprint.encode())
    return summary


def _fingerprint(out: Path, records: pd.DataFrame) -> str:
    digest = hashlib.sha256(records.to_csv(index=False).encode())
    digest.update((ROOT / "benchmarks" / "figures.py").read_bytes())
    for path in sorted((out / "preview").glob("*/*.png")):
        digest.update(str(path.relative_to(out)).encode())
    return digest.hexdigest()
