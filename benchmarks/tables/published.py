"""Published figures: read from `results/published/`, each with its source, never mixed with what was measured."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from benchmarks.folder.facts import Facts
from benchmarks.folder.provenance import ROOT
from datasets.catalog import METHODS, METRICS, SETS
from datasets.errors import SuiteError
from datasets.spec import Spec, parse

DENOISING = "denoising_psnr.csv"
METRIC = "psnr"
"""What the file of denoising holds; its default parameters are those of the literature."""
OURS_IN_GRAY = {
    "dncnn-s": "dncnn-gray-{sigma}", "dncnn-b": "dncnn-blind-gray", "ffdnet": "ffdnet-gray", "fdncnn": "fdncnn-gray",
}  # fmt: skip
OURS_IN_COLOUR = {"cbm3d": "bm3d", "ffdnet": "ffdnet-color"}
"""Published names of methods that are called otherwise here, on gray and on colour sets."""

Figures = dict[str, tuple[float, str]]
"""Row → the published mean and its source."""


def published_folder() -> Path | None:
    """Return the folder of published figures: of the clone, else of the installed package; None if there is none."""
    places = (ROOT / "results" / "published", Path(__file__).resolve().parent.parent / "published")
    return next((place for place in places if place.is_dir()), None)


def published_psnr(task: str, dataset: str, sigma: str) -> Figures:
    """Return method → (published mean PSNR in dB, source) of a set, empty where nothing was published.

    Args:
        task: name of the task.
        dataset: label of the set.
        sigma: fixed σ on the 0–255 scale, or a blind range (then empty).
    """
    folder = published_folder()
    if task != "denoise" or ":" in sigma or folder is None or not (folder / DENOISING).is_file():
        return {}
    table = _read(folder / DENOISING)
    hit = table[(table.dataset == dataset) & (table.sigma == float(sigma)) & (table.metric == METRIC)]
    if hit.empty:
        return {}
    rows = zip(hit.method, hit.value, hit.source, strict=True)
    ours = OURS_IN_COLOUR if SETS.get(dataset).colour else OURS_IN_GRAY
    return {ours.get(name, name).format(sigma=sigma): (float(value), source) for name, value, source in rows}


def published_for(facts: Facts) -> Figures:
    """Return what was published for the rows of a run.

    Empty unless the run is of the whole test set and has the metric as it was published. A row counts under its name
    only if it is that method with its default parameters.
    """
    setting = facts.setting
    plain = any(m.name == METRIC and m.signature == METRICS.build(METRIC).signature for m in facts.measures)
    if setting.split != "test" or not plain:
        return {}
    figures = published_psnr(setting.task.name, setting.dataset, str(setting.task.parameters.get("sigma", ":")))
    if not figures or {entry.name for entry in SETS.build(setting.dataset).entries("test")} != set(facts.images):
        return {}
    return {row: figure for row, figure in figures.items() if row in facts.rows and _is_itself(row, facts)}


@cache
def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def _is_itself(row: str, facts: Facts) -> bool:
    """Return whether a row is the method it is called after: another may stand under the name, as in bm3d=nlm."""
    try:
        meant, made = METHODS.resolve(Spec(row)), parse(facts.rows[row].spec)
    except SuiteError:
        return False
    return (meant.name, dict(meant.given)) == (made.name, dict(made.given))
