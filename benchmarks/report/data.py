"""What the page's script draws from: records, means and differences as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

from benchmarks.metrics.base import Metric
from benchmarks.pairs import undecided
from benchmarks.report.columns import kinds
from benchmarks.report.pictures import Shown
from benchmarks.report.settings import Setting
from benchmarks.summary import Summary


def setting_data(setting: Setting, summary: Summary, pictures: Sequence[Shown]) -> dict[str, Any]:
    """Everything of one setting; images and methods are referred to by their place in the lists."""
    kind = kinds(summary)
    metrics = [metric for metric in summary.metrics if summary.table[metric.name].notna().any()]
    methods = [
        {
            "name": row["method"],
            "kind": kind[row["method"]],
            "phi": number(row["phi_mean"]),
            "seconds": number(row["seconds"]),
            "scores": {metric.name: number(row[metric.name]) for metric in metrics},
            "marks": {metric.name: row[f"{metric.name}_mark"] for metric in metrics},
        }
        for row in summary.table.to_dict("records")
    ]
    return {
        "label": setting.label,
        "dataset": setting.run["dataset"],
        "metrics": [_metric(metric, summary.pairs) for metric in metrics],
        "methods": methods,
        "images": [_image(picture) for picture in pictures],
        "records": _records(setting.records, [m["name"] for m in methods], [p.image for p in pictures], metrics),
        "pairs": _pairs(summary.pairs, metrics),
    }


def colours(name: str) -> list[list[int]]:
    """A colour map of matplotlib as 256 RGB triples."""
    return (matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).round().astype(int).tolist()


def number(value: Any) -> float | None:
    """A number with six significant digits, or None where there is none: JSON knows no NaN and no infinity."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")


def _metric(metric: Metric, pairs: pd.DataFrame) -> dict[str, Any]:
    return {
        "name": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "signature": metric.signature,
        "higher": metric.higher_is_better,
        "decimals": metric.decimals,
        "undecided": undecided(pairs, metric.name),
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
    records: pd.DataFrame, methods: Sequence[str], images: Sequence[str], metrics: Sequence[Metric]
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "method": [methods.index(name) for name in records.method],
        "image": [images.index(name) for name in records.image],
        "error": list(records.error),
    }
    for name in ("sigma", *(metric.name for metric in metrics), "phi_mean", "seconds"):
        columns[name] = [number(value) for value in records[name]]
    return columns


def _pairs(pairs: pd.DataFrame, metrics: Sequence[Metric]) -> list[list[Any]]:
    """Per pair of methods and metric: metric, row, other, images, difference, low, high, wins, corrected p."""
    names = {metric.name for metric in metrics}
    columns = ["metric", "row", "other", "images", "difference", "low", "high", "wins", "p_holm"]
    rows: list[list[Any]] = pairs[columns].to_numpy(dtype=object).tolist()
    return [[*row[:4], *map(number, row[4:])] for row in rows if row[0] in names]
