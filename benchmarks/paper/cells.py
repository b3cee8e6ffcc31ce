"""Every cell of a table with its origins, and the check of each against what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.paper.experiments import (
    BIGPRIOR,
    EXPERIMENTS,
    MEAN_OF_3,
    MGAN,
    OWN_DATA,
    Experiment,
    of_cell,
    published,
)  # fmt: skip
from benchmarks.paper.released import ARRAYS, PHI, Floats, Release
from benchmarks.paper.runs import Runs
from benchmarks.tables.statistics import bootstrap_interval
from bigprior.phi.released import SET, TASK

PUBLISHED, RECOMPUTED, REPRODUCED, RERUN, OURS = "published", "recomputed", "reproduced", "re-run", "our priors"
ORIGINS = {
    PUBLISHED: "as printed in the paper",
    RECOMPUTED: "from the authors' released per-image arrays (errors of unclamped floats)",
    REPRODUCED: "computed here from the authors' released inversions and φ-network",
    RERUN: "the same method, run here on our seeded degradations",
    OURS: "our shipped priors in the place of theirs, run here on our seeded degradations",
}

COUNTERPARTS = {
    BIGPRIOR: {OURS: "bigprior"},
    MGAN: {RERUN: "mgan-{set}", OURS: "bigprior-prior"},
    "deep-image-prior": {RERUN: "deep-image-prior"},
    "feature-map-opt": {RERUN: "feature-map-{set}"},
}
"""Published method → our row of each origin; {set} stands for bedroom, church or conference."""

RELEASED_ROWS = {BIGPRIOR: "bigprior-released", MGAN: "mgan-prior"}
"""Published method → row of the reproduction."""

ABSENT = {
    BIGPRIOR: "its φ-networks were released for four experiments alone, its degraded images for none",
    "colorful-colorization": "a network of other authors that is not part of the suite",
    "deepfill-v2": "a network of other authors that is not part of the suite",
    "dncnn-authors": "the authors' own training of DnCNN, which is not released",
}

EXCEEDS, FAILS, UNAVAILABLE = "exceeds", "fails", "unavailable"
GOOD = {RECOMPUTED: "recomputed", REPRODUCED: "reproduced", RERUN: "re-run", OURS: EXCEEDS}
"""Origin → the verdict of a cell that is as it must be."""
VERDICTS = {
    GOOD[RECOMPUTED]: "the published value, recomputed from their per-image arrays",
    GOOD[REPRODUCED]: "the published value, computed here from their release",
    GOOD[RERUN]: "the published value within the spread of draws, by the same method run here",
    EXCEEDS: "our priors at or over the published value (LPIPS: at or under it)",
    FAILS: "not as it must be",
    UNAVAILABLE: "not there",
}
"""What a cell of the tables is, beside what was published: every word is counted apart."""


@dataclass(frozen=True)
class Check:
    """What is allowed of value − published; `low` or `high` infinite: one-sided."""

    low: float
    high: float

    def __str__(self) -> str:
        if np.isinf(self.high):
            return f"at least published {self.low:+g}".removesuffix(" +0")
        if np.isinf(self.low):
            return f"at most published {self.high:+g}".removesuffix(" +0")
        return f"±{self.high:g}" if self.low == -self.high else f"{self.low:+g}..{self.high:+g}"

    def holds(self, value: float, reference: float) -> bool:
        """Return whether a value is as it must be."""
        # Published numbers are decimals: half a unit of the fourth place is not a difference.
        return self.low - 1e-9 <= value - reference <= self.high + 1e-9


ROUNDING = Check(-0.005, 0.005)
"""An 8-bit image scores the same clipped or not: the prior's arrays must agree to the printed digits."""
UNCLAMPED = Check(-0.15, 0.005)
"""The arrays hold errors of unclamped floats, the tables are of clipped 8-bit images, which can only be nearer to the
truth: 0.14 dB in church denoising, under 0.06 dB elsewhere."""
PRINTED = Check(-0.01, 0.01)
"""AuC is printed with two digits, some of which were cut and not rounded."""
OTHER_DRAW = {"psnr": Check(-1, 1), "auc": Check(-1, 1), "ssim": Check(-0.05, 0.05), "lpips": Check(-0.05, 0.05)}
"""The same method on other noise and masks, in another implementation."""


def check(origin: str, method: str, metric: str) -> Check:
    """Return the check of a cell of an origin."""
    if origin == RERUN:
        return OTHER_DRAW[metric]
    if origin == OURS:
        return Check(-np.inf, 0) if metric == "lpips" else Check(0, np.inf)
    if metric == "auc":
        return PRINTED
    return ROUNDING if method == MGAN else UNCLAMPED


@dataclass(frozen=True)
class Sources:
    """All that cells are made from.

    Attributes:
        runs: our stored runs.
        release: the authors' arrays.
        reproduced, reasons: what `reproduction.reproduce` returns.
    """

    runs: Mapping[Experiment, Runs]
    release: Release
    reproduced: pd.DataFrame
    reasons: Mapping[str, str]


def scores(sources: Sources, origin: str, method: str, e: Experiment, metric: str) -> tuple[Floats | None, str]:
    """Return the scores of one experiment in the order of its images, or None and why they are not there."""
    if origin == RECOMPUTED:
        if (method, metric) not in ARRAYS:
            return None, "no array of it was released"
        found = sources.release.scores(e, method, metric)
        return found, "" if found is not None else "net_data is not on this machine (RESTORATION_MIRROR, or a network)"
    if origin == REPRODUCED:
        row = RELEASED_ROWS.get(method, "")
        if not row or (e.task, e.dataset) != (TASK, SET):
            return None, "inversions were released for colorization of bedrooms alone"
        mine = sources.reproduced[sources.reproduced.row == row]
        return (mine[metric].to_numpy(), "") if len(mine) else (None, sources.reasons.get(row, "not stored"))
    label = COUNTERPARTS.get(method, {}).get(origin)
    if label is None:
        return None, ABSENT.get(method, "there is no such row")
    label = label.format(set=e.short)
    values = sources.runs[e].values(label, metric)
    return (values.to_numpy(), "") if values is not None else (None, f"our row {label} has not been run")


def cell(sources: Sources, origin: str, row: Mapping[Any, Any]) -> tuple[Floats | None, str]:
    """Return the scores of a published cell from another origin: one experiment's, or three joined."""
    task, dataset, method, metric = (str(row[name]) for name in ("task", "dataset", "method", "metric"))
    if dataset.endswith(OWN_DATA):
        return None, "the images, of the generator's own training data, were not released"
    parts = []
    for experiment in of_cell(task, dataset):
        values, reason = scores(sources, origin, method, experiment, metric)
        if values is None:
            return None, reason
        parts.append(values)
    return (np.concatenate(parts), "") if parts else (None, "not one of the 11 experiments")


def paper_cells(sources: Sources, table: str) -> pd.DataFrame:
    """Return one line per published cell and origin: what there is, and how it compares with what was published."""
    lines = []
    for row in published(table).to_dict("records"):
        base = {name: row[name] for name in ("table", "task", "dataset", "method", "metric")}
        lines.append(base | {"row": row["method"], "origin": PUBLISHED, "value": row["value"], "note": row["note"]})
        for origin in (RECOMPUTED, REPRODUCED, RERUN, OURS):
            if origin == OURS and OURS not in COUNTERPARTS.get(str(row["method"]), {}):
                continue
            values, reason = cell(sources, origin, row)
            rule = check(origin, str(row["method"]), str(row["metric"]))
            label = COUNTERPARTS.get(str(row["method"]), {}).get(origin, row["method"])
            line = base | {"row": label, "origin": origin, "tolerance": str(rule), "verdict": UNAVAILABLE}
            line["note"] = reason
            if values is not None:
                good = rule.holds(float(values.mean()), float(row["value"]))
                line |= summary(values) | {"verdict": GOOD[origin] if good else FAILS}
            lines.append(line)
    return pd.DataFrame(lines)


def suite_cells(sources: Sources, table: str) -> pd.DataFrame:
    """Return one line per row of the suite, set and metric of a table: mean, interval and paired differences.

    `oracle` is True of an oracle row.

    Differences of the headline metric are over the same images: to the released per-image scores of the paper's
    BIGPrior (`released_*`; other noise or masks where they are random), and to our `bigprior` row (`bigprior_*`; the
    same degraded pixels).
    """
    metrics = list(dict.fromkeys(published(table).metric))
    experiments = [e for e in EXPERIMENTS if e.table == table]
    groups = [[e] for e in experiments] + ([experiments] if table == "II" else [])
    lines = []
    for group in groups:
        for label in _common([sources.runs[e].methods() for e in group]):
            for metric in metrics:
                found = [sources.runs[e].values(label, metric) for e in group]
                if any(f is None for f in found):
                    continue
                values = np.concatenate([f.to_numpy() for f in found if f is not None])
                first = group[0]
                line = {
                    "table": table, "task": first.task, "metric": metric, "row": label, "origin": RERUN,
                    "dataset": first.dataset if len(group) == 1 else MEAN_OF_3,
                    "oracle": any(sources.runs[e].is_oracle(label) for e in group),
                }  # fmt: skip
                line |= summary(values)
                if metric == first.headline:
                    line |= _difference(values, _reference(sources, group, RECOMPUTED), "released")
                    if label != BIGPRIOR:
                        line |= _difference(values, _reference(sources, group, OURS), "bigprior")
                lines.append(line)
    return pd.DataFrame(lines)


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    return [label for label in lists[0] if all(label in other for other in lists)]


def _reference(sources: Sources, group: Sequence[Experiment], origin: str) -> Floats | None:
    parts = [scores(sources, origin, BIGPRIOR, e, e.headline)[0] for e in group]
    return None if any(p is None for p in parts) else np.concatenate([p for p in parts if p is not None])


def summary(values: Floats) -> dict[str, float]:
    """Return mean, 95% bootstrap interval, median and count."""
    low, high = bootstrap_interval(values)
    return {
        "value": float(values.mean()), "low": low, "high": high, "median": float(np.median(values)),
        "images": len(values),
    }  # fmt: skip


def _difference(values: Floats, reference: Floats | None, name: str) -> dict[str, float]:
    """Return the mean of the paired differences to a reference with its 95% bootstrap interval."""
    if reference is None or len(reference) != len(values):
        return {}
    difference = values - reference
    low, high = bootstrap_interval(difference)
    return {f"{name}_difference": float(difference.mean()), f"{name}_low": low, f"{name}_high": high}


def network_cells(sources: Sources) -> pd.DataFrame:
    """Return one line per row of the reproduction: means over the 50 bedrooms, and differences to the released one."""
    rows = {str(row): mine.set_index("image") for row, mine in sources.reproduced.groupby("row", sort=False)}
    released_row = rows.get(RELEASED_ROWS[BIGPRIOR])
    lines = []
    for row, mine in rows.items():
        numbers = mine.drop(columns="row")
        line: dict[str, Any] = {"row": row, "images": len(mine), **dict(numbers.mean())}
        line["psnr_float"] = float((-10 * np.log10(mine.mse_float)).mean())
        for metric in ("psnr", "auc"):
            if released_row is not None and row != RELEASED_ROWS[BIGPRIOR]:
                line |= _difference(mine[metric].to_numpy(), released_row[metric].to_numpy(), metric)
        lines.append(line)
    return pd.DataFrame(lines)


def draw_cells(sources: Sources, table: str) -> pd.DataFrame:
    """Return one line per row and experiment with random degradations: the means of the draws and their spread."""
    lines = []
    for e in (e for e in EXPERIMENTS if e.table == table and e.random):
        for method, mine in sources.runs[e].draws(e.headline).groupby("method", sort=False):
            values = mine.sort_values("seed").value.to_numpy()
            lines.append({
                "table": table, "task": e.task, "dataset": e.dataset, "metric": e.headline, "row": method,
                "draws": len(values), "value": values.mean(), "least": values.min(), "most": values.max(),
                "deviation": values.std(ddof=1) if len(values) > 1 else np.nan,
            })  # fmt: skip
    return pd.DataFrame(lines)


@dataclass(frozen=True)
class Anchor:
    """A number that the reproduction must give."""

    what: str
    value: float
    expected: float
    tolerance: float

    @property
    def verdict(self) -> str:
        """What the number is, as of a cell."""
        return GOOD[REPRODUCED] if abs(self.value - self.expected) <= self.tolerance else FAILS


def anchors(sources: Sources) -> list[Anchor]:
    """Return the numbers that the reproduction of bedroom colorization must give; none if it has not been made."""
    every = sources.reproduced
    fused, prior = (every[every.row == RELEASED_ROWS[method]] for method in (BIGPRIOR, MGAN))
    if fused.empty or prior.empty:
        return []
    experiment = of_cell(TASK, SET)[0]
    found = [
        Anchor("mean PSNR of unclamped floats, fused", float((-10 * np.log10(fused.mse_float)).mean()), 23.0839, 5e-5),
        Anchor("mean PSNR of unclamped floats, prior", float((-10 * np.log10(prior.mse_float)).mean()), 22.2908, 5e-5),
        Anchor("mean φ", float(fused.phi_mean.mean()), 0.45786, 5e-6),
        Anchor("mean AuC of unclamped floats, fused", float(fused.auc_float.mean()), 89.2772, 5e-4),
        Anchor("mean AuC of unclamped floats, prior", float(prior.auc_float.mean()), 88.5167, 5e-4),
    ]
    for name, column, mine, tolerance in (
        ("MSE", "mse_float", fused, 1e-6), ("MSE_GAN", "mse_float", prior, 1e-6), ("AUC", "auc_float", fused, 2e-3),
        ("AUC_GAN", "auc_float", prior, 2e-3), (PHI, "phi_mean", fused, 1e-6),
    ):  # fmt: skip
        stored = sources.release.array(experiment, name)
        if stored is not None:
            largest = float(np.abs(mine[column].to_numpy() - stored).max())
            found.append(Anchor(f"largest difference per image to the released {name}.npy", largest, 0.0, tolerance))
    return found
