"""The tables of a study as text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.trust.guarantee import ALL
from benchmarks.trust.study import Study
from datasets.task import get_task

WIDTH = 80
NAME, SET, PREDICTOR, TESTED = 19, 19, 10, 40
"""Letters of the names of a row, a set, a predictor, and of a set with its shift."""

Column = tuple[str, int, int]
"""Head of a column of numbers, its width and its decimals."""


def text(study: Study, tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the summary."""
    found = [*_heading(study), *_predictors(tables["predictors"])]
    if len(tables["masks"]):
        found += _masks(study, tables["masks"])
    if len(tables["variance"]):
        found += _variance(tables["variance"])
    found += _invented(tables["invented"])
    found += [""] if study.reasons else []
    found += [line for row, reason in study.reasons.items() for line in wrap(f"{row}: left out: {reason}.", WIDTH)]
    return "\n".join(line.rstrip() for line in found) + "\n"


def _heading(study: Study) -> list[str]:
    crop = f", the central {study.crop}x{study.crop} pixels" if study.crop else ""
    few = f" ({study.few_images} for {', '.join(row.label for row in study.few)})" if study.few else ""
    sets = ", ".join(study.sets)
    return wrap(f"{get_task(study.task).label}; {sets}{crop}; {study.images} test images a set{few}.", WIDTH)


def _predictors(table: pd.DataFrame) -> list[str]:
    numbers: list[Column] = [
        ("rho", 6, 2),
        ("AUSE", 6, 3),
        ("low", 6, 3),
        ("high", 6, 3),
        ("random", 7, 3),
        ("rev.", 6, 3),
    ]
    words = (
        "What warns of error: blocks of 4x4, means over the images of all sets. AUSE (with its 95% interval) is 0 for "
        "the order of the errors themselves, and over 'random' the predictor misleads; rev.: the lowest values given "
        "up first."
    )
    lines = ["", *wrap(words, WIDTH), "", _head([("row", NAME), ("predictor", PREDICTOR)], numbers)]
    for line in _of_all_sets(table):
        values = [line[name] for name in ("spearman", "ause", "ause_low", "ause_high", "ause_random", "ause_reversed")]
        lines.append(_line([(line["row"], NAME), (line["predictor"], PREDICTOR)], numbers, values))
    return lines


def _masks(study: Study, table: pd.DataFrame) -> list[str]:
    numbers: list[Column] = [("cover", 7, 1), ("se", 6, 1), ("kept", 7, 1), ("pure", 7, 1), ("bare", 7, 1)]
    words = (
        f"Masks, in %: a pixel is wrong if its error is over {study.epsilon:g}; promised: {100 * (1 - study.alpha):g}% "
        "of the pixels are given up or right (cover). Fitted on the validation images of all sets, with the predictor "
        "that ranks best on them. pure: right of those that are kept; bare: cover without a mask."
    )
    lines = ["", *wrap(words, WIDTH), "", _head([("row, predictor, tested on", TESTED)], numbers)]
    fitted = ALL if ALL in set(table.calibrated) else table.calibrated.iloc[0]
    told = ""
    for line in _records(table[table.best & (table.calibrated == fitted)]):
        name = f"{line['row']}, {line['predictor']}"
        lines += [name] if name != told else []
        told = name
        values = [100 * line[column] for column in ("coverage", "se", "kept", "pure", "bare")]
        lines.append(_line([(f"  {line['tested']}", TESTED)], numbers, values))
    return lines


def _variance(table: pd.DataFrame) -> list[str]:
    numbers: list[Column] = [("draws", 6, 0), ("ratio", 7, 2), ("1 s", 6, 1), ("2 s", 6, 1), ("3 s", 6, 1)]
    words = "Variance over draws: squared error over what the variance says, and the share of numbers within k s, in %."
    lines = ["", *wrap(words, WIDTH), "", _head([("row", NAME), ("set", SET)], numbers)]
    for line in _records(table):
        values = [line["draws"], line["ratio"], *(100 * line[f"within_{k}s"] for k in (1, 2, 3))]
        lines.append(_line([(line["row"], NAME), (line["set"], SET)], numbers, values))
    return lines


def _invented(table: pd.DataFrame) -> list[str]:
    numbers: list[Column] = [("phi", 6, 3), ("null", 7, 3), ("truth", 7, 3), ("measured", 9, 2), ("null map", 9, 2),
                             ("index", 7, 3), ("error", 7, 2)]  # fmt: skip
    words = (
        "What is invented, means over the images of all sets: mean phi, the share of energy in the null space of the "
        "restoration and of the truth, both hallucination maps, the Hallucination Index, the root mean square error."
    )
    lines = ["", *wrap(words, WIDTH), "", _head([("row", NAME)], numbers)]
    names = ("phi", "null_share", "truth_share", "measured_rms", "null_rms", "index", "error_rms")
    lines += [_line([(line["row"], NAME)], numbers, [line[name] for name in names]) for line in _of_all_sets(table)]
    return lines


def _of_all_sets(table: pd.DataFrame) -> list[dict[str, Any]]:
    return _records(table[table.set == ALL] if ALL in set(table.set) else table)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in line.items()} for line in table.to_dict("records")]


def _head(names: Sequence[tuple[str, int]], numbers: Sequence[Column]) -> str:
    return " ".join(f"{name:{width}}" for name, width in names) + "".join(
        f"{head:>{width}}" for head, width, _ in numbers
    )


def _line(names: Sequence[tuple[str, int]], numbers: Sequence[Column], values: Sequence[float]) -> str:
    written = " ".join(f"{name if len(name) <= width else name[: width - 1] + '…':{width}}" for name, width in names)
    return written + "".join(
        f"{value:{width}.{decimals}f}" if np.isfinite(value) else f"{'-':>{width}}"
        for value, (_, width, decimals) in zip(values, numbers, strict=True)
    )
