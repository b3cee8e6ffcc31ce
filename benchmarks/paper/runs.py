"""Our runs of the paper's experiments: made where they are missing, read where they are stored."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from contextlib import chdir
from pathlib import Path

import pandas as pd

from benchmarks.folder.provenance import ROOT
from benchmarks.folder.run_folder import RunFolder
from benchmarks.paper.experiments import EXPERIMENTS, Experiment
from benchmarks.paper.places import Places
from benchmarks.regenerate import arguments_of
from benchmarks.rows import Row, available, select
from benchmarks.session import requests, run
from datasets.errors import SuiteError

SEEDS = (0, 1, 2, 3, 4)
"""Draws of noise and masks. Seed 0 is the main run's; the others are made for `DRAWN` alone."""
DRAWN = (
    "noisy", "nlm",
    "harmonic", "telea", "ring-mean",
    "bigprior", "bigprior-prior",
)  # fmt: skip
"""Quick rows whose spread over the draws is shown, those of them that are there and run on the task."""
IMAGES = 50
"""Test images of every experiment."""


def make_main(places: Places, experiment: Experiment, chosen: str | None = None, device: str = "cpu") -> None:
    """Do what is missing of the main run of an experiment.

    Args:
        places: where is read and written.
        experiment: which.
        chosen: 'all', or specs of methods separated by commas; {set} in a name stands for bedroom and so on. None: the
            rows of the committed run.
        device: cpu, cuda or cuda:N.

    Raises:
        SuiteError: a method or the images are not there.
    """
    arguments = arguments_of(experiment.run)
    text = arguments.methods if chosen is None else chosen.replace("{set}", experiment.short)
    _make(arguments, places.main(experiment), places.new_main(experiment, device), text, 0, device)


def make_draws(places: Places, experiment: Experiment) -> None:
    """Do what is missing of the other draws of an experiment with random degradations."""
    if not experiment.random:
        return
    arguments = arguments_of(experiment.run)
    labels = {row.label for row in available(requests(arguments)[0].task)[0]}
    chosen = ",".join(name for name in DRAWN if name in labels)
    for seed in SEEDS[1:]:
        folders = places.draws(experiment, seed)
        _make(arguments_of(experiment.run), folders, folders[-1], chosen, seed, "cpu")


def _make(arguments: Namespace, stored: Sequence[Path], into: Path, text: str, seed: int, device: str) -> None:
    """Run in a folder those rows that no folder has, or that folders have of other code, parameters or files."""
    rows = select(requests(arguments)[0].task, text, device)[0]
    done = {label for folder in stored for label in _finished(RunFolder(folder), rows)}
    missing = [row for row in rows if row.label not in done]
    if not missing:
        return  # reading the images to learn that nothing is missing would take longer than the tables
    # In a clone run.json holds a path that means the same in every other.
    where = into.relative_to(ROOT) if into.is_relative_to(ROOT) else into
    vars(arguments).update(methods=_specs(missing), seed=seed, device=device, out=where)
    with chdir(ROOT):
        run(requests(arguments)[0])


def _specs(rows: Iterable[Row]) -> str:
    return ",".join(row.label if _means_itself(row) else f"{row.label}={row.spec}" for row in rows)


def _means_itself(row: Row) -> bool:
    try:
        return Row.parse(row.label).spec == row.spec
    except SuiteError:
        return False


def _finished(folder: RunFolder, rows: Iterable[Row]) -> set[str]:
    """The labels of the rows that a stored run has as they are today, with a record without an error of every image."""
    if not folder.exists():
        return set()
    facts = folder.facts
    counts = folder.finished.groupby("method").image.nunique()
    whole = set(counts.index[counts == len(facts.images)]) & set(facts.rows)
    return {
        row.label
        for row in rows
        if row.label in whole and row.facts(facts.setting.task, ()).fingerprint == facts.rows[row.label].fingerprint
    }


class Runs:
    """The stored records of the main run and of the other draws of an experiment; nothing is computed.

    Attributes:
        scores: one row per image × method of the main run, without errors.
        facts: of the folders that hold it; empty if the experiment has not been run.
    """

    def __init__(self, experiment: Experiment, places: Places) -> None:
        self.experiment, self._places = experiment, places
        there = [folder for path in places.main(experiment) if (folder := RunFolder(path)).exists()]
        self.facts = [folder.facts for folder in there]
        parts = [folder.finished for folder in there]
        # A row that two folders have is that of the first.
        self.scores = (
            pd.concat(parts, ignore_index=True).drop_duplicates(["image", "method"], ignore_index=True)
            if parts
            else pd.DataFrame(columns=["image", "method"])
        )

    def values(self, method: str, metric: str) -> pd.Series | None:
        """Return the scores of a row by image, or None if the row misses an image or was not run."""
        if metric not in self.scores:
            return None
        mine = self.scores[self.scores.method == method].set_index("image")[metric].dropna()
        wanted = list(dict.fromkeys(image for facts in self.facts for image in facts.images))
        return mine.reindex(wanted) if len(wanted) == IMAGES and set(wanted) == set(mine.index) else None

    def methods(self) -> list[str]:
        """Labels of the rows of the main run that have every image."""
        return [m for m in dict.fromkeys(self.scores.method) if self.values(m, self.experiment.headline) is not None]

    def is_oracle(self, label: str) -> bool:
        """True of an oracle row."""
        return any(facts.is_oracle(label) for facts in self.facts)

    def draws(self, metric: str) -> pd.DataFrame:
        """Return the mean over the images of every draw: columns method, seed, value. Rows of `DRAWN` alone."""
        found: dict[tuple[str, int], float] = {}
        for seed in SEEDS if self.experiment.random else ():
            for folder in (RunFolder(path) for path in self._places.draws(self.experiment, seed)):
                if folder.exists():
                    done = folder.finished
                    for method, mine in done[done.method.isin(DRAWN)].groupby("method"):
                        found.setdefault((str(method), seed), float(mine[metric].mean()))
        lines = [{"method": method, "seed": seed, "value": value} for (method, seed), value in found.items()]
        return pd.DataFrame(lines, columns=["method", "seed", "value"])


def every(places: Places) -> dict[Experiment, Runs]:
    """The stored runs of all experiments."""
    return {experiment: Runs(experiment, places) for experiment in EXPERIMENTS}
