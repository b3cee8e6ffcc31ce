"""Our runs of the paper's experiments: made where they are missing, read where they are stored."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.environment import ROOT
from benchmarks.paper.experiments import EXPERIMENTS, Experiment
from benchmarks.plan import read_run
from benchmarks.records import RecordFile, frame
from benchmarks.regenerate import RUNS
from benchmarks.rows import Row, available, select
from benchmarks.run import parser
from benchmarks.session import run
from datasets.task import get_task
from methods.registry import methods

SEEDS = (0, 1, 2, 3, 4)
"""Draws of noise and masks. Seed 0 is the main run's; the others are made for `DRAWN` alone."""
DRAWN = (
    "noisy", "nlm",
    "harmonic", "telea", "ring-mean",
    "bigprior", "bigprior-prior",
)  # fmt: skip
"""Quick rows whose spread over the draws is shown, those of them that are there and run on the task."""
DRAWS = "draws"
IMAGES = 50
"""Test images of every experiment."""


def folders(out: Path, experiment: Experiment) -> dict[str, Path]:
    """Where the main run is, by kind of device: one of the committed runs, and what was run on a GPU beside it."""
    return {"cpu": ROOT / "results" / experiment.run, "cuda": out / "cuda" / experiment.run}


def draw_folder(out: Path, experiment: Experiment, seed: int) -> Path:
    """Where the run of another draw is."""
    return out / DRAWS / f"{experiment.run}-seed{seed}"


def make_main(out: Path, experiment: Experiment, chosen: str | None = None, device: str = "cpu") -> None:
    """Do what is missing of the main run of an experiment.

    Args:
        out: folder of the tables.
        chosen: 'all', or names of methods separated by commas; {set} in a name stands for bedroom and so on. None: the
            rows of the committed run.
        device: cpu, cuda or cuda:N.

    Raises:
        SuiteError: a method or the images are not there.
    """
    folder = folders(out, experiment)[device.split(":")[0]]
    if chosen is None:
        chosen = parser().parse_args(RUNS[experiment.run].split()).methods
    _make(experiment, folder, chosen.format(set=experiment.short), 0, device)


def make_draws(out: Path, experiment: Experiment) -> None:
    """Do what is missing of the other draws of an experiment with random degradations."""
    if not experiment.random:
        return
    runnable = {row.label for row in available(_task(experiment))[0]}
    chosen = ",".join(name for name in DRAWN if name in runnable)
    for seed in SEEDS[1:]:
        _make(experiment, draw_folder(out, experiment, seed), chosen, seed, "cpu")


def _task(experiment: Experiment) -> Any:
    arguments = parser().parse_args(RUNS[experiment.run].split())
    return get_task(arguments.task, **({} if arguments.sigma is None else {"sigma": arguments.sigma}))


def _make(experiment: Experiment, folder: Path, chosen: str, seed: int, device: str) -> None:
    rows = {row.label for row in select(_task(experiment), chosen, device)[0]}
    if rows <= _finished(folder):
        return  # reading the images to learn that nothing is missing would take longer than the tables
    os.chdir(ROOT)  # so that run.json holds a path that means the same in every clone
    where = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    extra = ["--methods", chosen, "--seed", str(seed), "--device", device, "--out", str(where)]
    run(parser().parse_args([*RUNS[experiment.run].split(), *extra]))


def _finished(folder: Path) -> set[str]:
    """The rows of a stored run that have a record without an error of every image."""
    if not (folder / "run.json").exists():
        return set()
    images = read_run(folder)["images"]
    done = _records(folder)
    counts = done[done.error == ""].groupby("method").image.nunique()
    return set(counts.index[counts == len(images)])


@cache
def _cached(folder: Path, modified: int) -> pd.DataFrame:
    return RecordFile(folder / "records.csv").load().frame()


def _records(folder: Path) -> pd.DataFrame:
    path = folder / "records.csv"
    return _cached(folder, path.stat().st_mtime_ns if path.exists() else 0)


class Runs:
    """The stored records of the main run and of the other draws of an experiment; nothing is computed.

    Attributes:
        scores: one row per image × method of the main run, without errors.
        facts: of its run.json, by kind of device; empty if the experiment has not been run.
    """

    def __init__(self, experiment: Experiment, out: Path) -> None:
        self.experiment, self._out = experiment, out
        there = {kind: f for kind, f in folders(out, experiment).items() if (f / "run.json").exists()}
        self.facts = {kind: read_run(folder) for kind, folder in there.items()}
        parts = [_without_errors(_records(folder)) for folder in there.values()]
        self.scores = pd.concat(parts, ignore_index=True) if parts else frame([])

    def values(self, method: str, metric: str) -> pd.Series | None:
        """Return the scores of a row by image, or None if the row misses an image or was not run."""
        mine = self.scores[self.scores.method == method].drop_duplicates("image").set_index("image")[metric].dropna()
        wanted = [image for facts in self.facts.values() for image in facts["images"]][:IMAGES]
        return mine.reindex(wanted) if wanted and len(mine) == IMAGES and set(wanted) == set(mine.index) else None

    def methods(self) -> list[str]:
        """Labels of the rows of the main run that have every image."""
        return [m for m in dict.fromkeys(self.scores.method) if self.values(m, self.experiment.headline) is not None]

    def draws(self, metric: str) -> pd.DataFrame:
        """Return the mean over the images of every draw: columns method, seed, value. Rows of `DRAWN` alone."""
        found = []
        for seed in SEEDS if self.experiment.random else ():
            main = folders(self._out, self.experiment)["cpu"]
            folder = main if seed == 0 else draw_folder(self._out, self.experiment, seed)
            if not (folder / "run.json").exists():
                continue
            done = _without_errors(_records(folder))
            for method, mine in done[done.method.isin(DRAWN)].groupby("method"):
                found.append({"method": method, "seed": seed, "value": mine[metric].mean()})
        return pd.DataFrame(found, columns=["method", "seed", "value"])


def _without_errors(records: pd.DataFrame) -> pd.DataFrame:
    return records[records.error == ""]


def every(out: Path) -> dict[Experiment, Runs]:
    """The stored runs of all experiments."""
    return {experiment: Runs(experiment, out) for experiment in EXPERIMENTS}


def oracle(label: str) -> bool:
    """True if a row is told what is hidden from the others."""
    row = Row.parse(label)
    return row.true_sigma or (row.method in methods() and row.oracle)
