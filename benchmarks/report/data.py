"""What the page's script draws from: records, means and differences as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from benchmarks.report.merge import Merged
from benchmarks.report.pictures import Shown
from benchmarks.scores.measure import Measure
from benchmarks.tables.colours import PHI_COLOURS
from benchmarks.tables.column import kinds
from benchmarks.tables.pairs import undecided
from benchmarks.tables.summary import Summary

COLOURS = {"phi": PHI_COLOURS, "error": "cividis"}
"""Colour maps of shares of prior, as in all other figures, and of errors and differences."""
MARGIN = 4.0
"""dB under the best that a contender may be."""


def setting_data(merged: Merged, summary: Summary, pictures: Sequence[Shown]) -> dict[str, Any]:
    """Everything of one setting; images and methods are referred to by their place in the lists."""
    kind = kinds(summary)
    metrics = [m for m in (*summary.metrics, *summary.set_metrics) if summary.table[m.name].notna().any()]
    of_images = [m for m in metrics if not m.of_set]
    methods = [
        {
            "name": row["method"],
            "kind": kind[row["method"]],
            "phi": number(row["phi_mean"]),
            "seconds": number(row["seconds"]),
            "scores": {m.name: number(row[m.name]) for m in metrics},
        }
        for row in summary.table.to_dict("records")
    ]
    task = merged.facts.setting.task
    columns = [*([task.level] if task.level else []), *(m.name for m in of_images)]
    return {
        "label": merged.label,
        "dataset": merged.facts.setting.dataset,
        "level": {"name": task.level, "title": task.level_title or task.level} if task.level else None,
        "metrics": [_metric(m, summary.pairs) for m in metrics],
        "methods": methods,
        "images": [_image(picture) for picture in pictures],
        "records": _records(merged.records, [m["name"] for m in methods], [p.image for p in pictures], columns),
        "pairs": _pairs(summary.pairs, of_images),
    }


def colours() -> dict[str, list[list[int]]]:
    """The colour maps of `COLOURS` as 256 RGB triples."""
    tables = {key: matplotlib.colormaps[name](np.arange(256))[:, :3] * 255 for key, name in COLOURS.items()}
    return {key: table.round().astype(int).tolist() for key, table in tables.items()}


def number(value: Any) -> float | None:
    """A number with six significant digits, or None where there is none: JSON knows no NaN and no infinity."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")


def _metric(measure: Measure, pairs: pd.DataFrame) -> dict[str, Any]:
    return {
        "name": measure.name,
        "title": measure.title,
        "unit": measure.unit,
        "signature": measure.signature,
        "higher": measure.higher_is_better,
        "decimals": measure.decimals,
        "of_set": measure.of_set,
        "margin": MARGIN if measure.unit == "dB" else None,
        "undecided": None if measure.of_set else undecided(pairs, measure.name),
    }


def _image(picture: Shown) -> dict[str, Any]:
    return {
        "name": picture.image,
        "thumbnail": picture.thumbnail,
        "size": list(picture.size),
        "layers": picture.layers,
        "differences": picture.differences,
    }


def _records(
    records: pd.DataFrame, methods: Sequence[str], images: Sequence[str], columns: Sequence[str]
) -> dict[str, list[Any]]:
    method, image = ({name: place for place, name in enumerate(names)} for names in (methods, images))
    found: dict[str, list[Any]] = {
        "method": [method[name] for name in records.method],
        "image": [image[name] for name in records.image],
        "error": list(records.error),
    }
    return found | {name: [number(value) for value in records[name]] for name in (*columns, "phi_mean", "seconds")}


def _pairs(pairs: pd.DataFrame, metrics: Sequence[Measure]) -> list[list[Any]]:
    """Per pair of methods and metric: metric, row, other, images, difference, low, high, wins, corrected p."""
    names = {measure.name for measure in metrics}
    columns = ["metric", "row", "other", "images", "difference", "low", "high", "wins", "p_holm"]
    rows: list[list[Any]] = pairs[columns].to_numpy(dtype=object).tolist()
    return [[*row[:4], *map(number, row[4:])] for row in rows if row[0] in names]
