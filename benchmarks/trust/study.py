"""One study: rows of a task on some sets, their predictors, masks and inventions, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.reliance.coverage import POINTS, risk
from benchmarks.reliance.data import Floats
from benchmarks.rows import Row
from benchmarks.tables.statistics import bootstrap_interval
from benchmarks.trust import spread
from benchmarks.trust.guarantee import ALL, masks
from benchmarks.trust.maps import Maps
from benchmarks.trust.measuring import TEST, VALIDATION, Job, Part, maps_of, missing
from benchmarks.trust.ranks import spearman
from benchmarks.trust.sparsification import areas
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.task import get_task

Images = dict[str, list[Maps]]
"""Set → the maps of its images."""


@dataclass(frozen=True)
class Study:
    """What is asked.

    Attributes:
        task: its spec.
        sets: specs of the sets.
        rows: the rows.
        folder: of the maps.
        images, validation: of each set, test images and images of calibration at most.
        few: rows that are slow, and are measured on `few_images` and `few_validation` of them. If the latter is 0, no
            masks are made of them.
        crop: side of the central square that is measured, or None.
        shifts: specs of other tasks, on whose test images the same masks are tried.
        alpha, epsilon, share: α, ε (0–255 scale) and δ of `benchmarks.trust.conformal`.
        keep: take maps that other code measured.
        reasons: row → why it is left out, filled by `read`.
    """

    task: str
    sets: tuple[str, ...]
    rows: tuple[Row, ...]
    folder: Path
    images: int = 16
    validation: int = 20
    few: tuple[Row, ...] = ()
    few_images: int = 8
    few_validation: int = 8
    crop: int | None = None
    shifts: tuple[str, ...] = ()
    alpha: float = 0.1
    epsilon: float = 20.0
    share: float = 0.1
    keep: bool = False
    reasons: dict[str, str] = field(default_factory=dict)

    def every_row(self) -> tuple[Row, ...]:
        """Return all rows."""
        return self.rows + self.few

    def part(self, dataset: str, kind: str, row: Row) -> Part:
        """Return the images of a set on which a row is measured."""
        every, few = {TEST: (self.images, self.few_images), VALIDATION: (self.validation, self.few_validation)}[kind]
        return Part(dataset, kind, min(every, few) if row in self.few else every, self.crop)

    def jobs(self) -> list[Job]:
        """Return what is still to be measured.

        Raises:
            SuiteError: a set has no validation images.
        """
        found = []
        for rows in (self.rows, self.few):
            if not rows:
                continue
            parts = {kind: [self.part(dataset, kind, rows[0]) for dataset in self.sets] for kind in (VALIDATION, TEST)}
            found += missing(self.folder, self.task, parts[VALIDATION] + parts[TEST], rows, self.keep)
            for shift in self.shifts:
                found += missing(self.folder, shift, parts[TEST], rows, self.keep)
        return found

    def maps(self, row: Row, kind: str, task: str | None = None) -> Images:
        """Return what was measured of a row, the sets by their labels."""
        made = get_task(task or self.task)
        parts = {get_dataset(dataset).label: self.part(dataset, kind, row) for dataset in self.sets}
        return {label: maps_of(self.folder, made, part, row, self.keep) for label, part in parts.items()}


@dataclass(frozen=True)
class Measured:
    """What was measured of one row.

    Attributes:
        names: its predictors that tell one pixel from another.
        shifted: label of a shift → its test images.
    """

    row: Row
    names: tuple[str, ...]
    validation: Images
    test: Images
    shifted: dict[str, Images]

    def groups(self) -> Iterator[tuple[str, list[Maps]]]:
        """Yield every set and, where there are several, all of them together."""
        yield from self.test.items()
        if len(self.test) > 1:
            yield ALL, [maps for images in self.test.values() for maps in images]


def read(study: Study) -> list[Measured]:
    """Read the maps of every row that has a predictor; `study.reasons` says of each other row why it is left out.

    Raises:
        SuiteError: none has.
    """
    found = []
    for row in study.every_row():
        validation, test = study.maps(row, VALIDATION), study.maps(row, TEST)
        images = [maps for sets in (validation, test) for each in sets.values() for maps in each]
        names = tuple(n for n in (images[0].predictors if images else ()) if any(_varies(maps, n) for maps in images))
        if not names:
            study.reasons[row.label] = "nothing that it tells differs from pixel to pixel, and it draws nothing"
            continue
        shifted = {_parameters(shift): study.maps(row, TEST, shift) for shift in study.shifts}
        found.append(Measured(row, names, validation, test, shifted))
    if not found:
        raise SuiteError(
            f"no row here has a predictor of its error ({'; '.join(f'{k}: {v}' for k, v in study.reasons.items())}): "
            "give one with a φ or with draws, such as bigprior."
        )
    return found


def _parameters(task: str) -> str:
    """What sets a task apart from others of its name: `sigma=50`."""
    made = get_task(task)
    return made.label.removeprefix(f"{made.name} ")


def _varies(maps: Maps, name: str) -> bool:
    return bool(np.ptp(maps.predictors[name][maps.region]) > 0)


def predictors(rows: Sequence[Measured]) -> pd.DataFrame:
    """Return what every predictor of every row is worth: a line per set, means over images, of blocks of 4×4 pixels."""
    lines = []
    for measured in rows:
        for label, images in measured.groups():
            for name in measured.names:
                blocks = [maps.blocks(name) for maps in images]
                found = pd.DataFrame([areas(*pair)._asdict() | {"spearman": spearman(*pair)} for pair in blocks])
                found = found[found.ause.notna()]
                low, high = bootstrap_interval(found.ause.to_numpy())
                known = found.spearman.dropna().to_numpy()
                rho_low, rho_high = bootstrap_interval(known)
                lines.append({"row": measured.row.label, "set": label, "predictor": name,
                              "spearman": known.mean() if len(known) else np.nan, "spearman_low": rho_low,
                              "spearman_high": rho_high, "aurc": found.aurc.mean(), "ause": found.ause.mean(),
                              "ause_low": low, "ause_high": high, "ause_reversed": found.reversed.mean(),
                              "ause_random": found.random.mean(), "images": len(found)})  # fmt: skip
    return pd.DataFrame(lines)


def risks(rows: Sequence[Measured]) -> pd.DataFrame:
    """Return the risk–coverage curves, means over the images of all sets: row, curve, coverage, risk."""
    lines = []
    coverage = np.linspace(0, 1, POINTS)[1:]
    for measured in rows:
        images = [maps for each in measured.test.values() for maps in each]
        for name in (*measured.names, "oracle"):
            pairs = [maps.blocks(measured.names[0] if name == "oracle" else name) for maps in images]
            curves = [risk(error if name == "oracle" else values, error) for values, error in pairs if error.sum() > 0]
            lines.append(pd.DataFrame({"row": measured.row.label, "curve": name, "coverage": coverage,
                                       "risk": np.mean(curves, axis=0)}))  # fmt: skip
    return pd.concat(lines, ignore_index=True)


def variances(rows: Sequence[Measured]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return of every row that draws how its variance is calibrated: a line per set, and a line per bin of all sets."""
    lines, parts = [], []
    for measured in rows:
        if "variance" not in measured.names:
            continue
        for label, images in measured.groups():
            draws = int(images[0].numbers["draws"])
            variance, error = (
                np.concatenate(each) for each in zip(*(m.places("variance") for m in images), strict=True)
            )
            within = [m.within[:, m.region].mean(axis=1) for m in images]
            shares = {f"within_{k}s": share for k, share in zip(spread.WIDTHS, np.mean(within, axis=0), strict=True)}
            lines.append({"row": measured.row.label, "set": label, "draws": draws,
                          "ratio": spread.ratio(variance, error, draws), **shares, "images": len(images)})  # fmt: skip
            if label == ALL or len(measured.test) == 1:
                table = spread.bins(variance, error, draws).reset_index()
                parts.append(table.assign(row=measured.row.label, set=label))
    return pd.DataFrame(lines), pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def guarantees(study: Study, rows: Sequence[Measured]) -> pd.DataFrame:
    """Return every mask on every set (`benchmarks.trust.guarantee`); `best` marks the predictor of a row whose AUSE on
    the validation images is the least."""
    tables = []
    for measured in rows:
        if not any(measured.validation.values()):
            continue
        best = min(measured.names, key=lambda name: _validation_ause(measured.validation, name))
        for name in measured.names:
            table = masks(measured.validation, measured.test, name, study.epsilon, study.alpha, study.share,
                          measured.shifted)  # fmt: skip
            tables.append(table.assign(row=measured.row.label, predictor=name, best=name == best))
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, ignore_index=True)
    first = ["row", "predictor", "best", "calibrated", "tested"]
    return table[first + [column for column in table if column not in first]]


def _validation_ause(images: Mapping[str, Sequence[Maps]], name: str) -> float:
    found = [areas(*maps.blocks(name)).ause for each in images.values() for maps in each]
    return float(np.nanmean(found))


NUMBERS = ("phi", "null_share", "truth_share", "measured_rms", "null_rms", "index")


def inventions(study: Study, rows: Sequence[Row]) -> pd.DataFrame:
    """Return what is invented: a line per row and set, means over images; a number that is not defined is NaN."""
    lines = []
    for row in rows:
        images = study.maps(row, TEST)
        groups = images | ({ALL: [m for each in images.values() for m in each]} if len(images) > 1 else {})
        for label, found in groups.items():
            if not found:
                continue
            numbers = {name: _mean([maps.numbers.get(name, np.nan) for maps in found]) for name in NUMBERS}
            rms = np.sqrt(np.mean([maps.numbers["mse"] for maps in found])) * 255
            hole = _mean([float(np.sqrt((maps.error[maps.region] ** 2).mean())) for maps in found])
            lines.append({"row": row.label, "set": label, **numbers, "error_rms": rms, "region_rms": hole,
                          "images": len(found)})  # fmt: skip
    return pd.DataFrame(lines)


def _mean(values: Sequence[float]) -> float:
    known: Floats = np.array(values)[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


TABLES: dict[str, Callable[[Study, Sequence[Measured]], pd.DataFrame]] = {
    "predictors": lambda study, rows: predictors(rows),
    "risk-coverage": lambda study, rows: risks(rows),
    "variance": lambda study, rows: variances(rows)[0],
    "variance-bins": lambda study, rows: variances(rows)[1],
    "masks": guarantees,
    "invented": lambda study, rows: inventions(study, study.every_row()),
}
"""Name of a table → what makes it."""
