"""Runs to analyse: their records, and the maps that `--reliance` kept."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.folder.run_folder import RunFolder
from datasets.errors import SuiteError
from datasets.task import Task

Floats = NDArray[np.float64]


class Missing(Exception):
    """An analysis cannot be made of these runs; the text says what is missing."""


@dataclass(frozen=True)
class Maps:
    """What was measured of one image × method; see `benchmarks.scores.reliance.Measurement` for the arrays.

    Attributes:
        arrays: maps (h,w) and numbers by name, float64.
    """

    arrays: dict[str, Floats]

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> Floats:
        return self.arrays[name]

    @property
    def declared(self) -> Floats | None:
        """The declared φ per block, or None; for a domain without places in the image, with φ and g held fixed."""
        return self.arrays.get("declared", self.arrays.get("frozen"))

    @property
    def prior_psnr(self) -> float | None:
        """PSNR of g alone in dB, not clipped, or None where g is not an image."""
        if "parts" not in self.arrays:
            return None
        error = float(self.arrays["parts"][2].mean()) / 255**2
        return -10 * float(np.log10(max(error, 1e-12)))


@dataclass(frozen=True)
class Run:
    """One run: its folder, and its records that are not errors, with the task's level in column `level` (or NaN)."""

    folder: RunFolder
    records: pd.DataFrame

    @staticmethod
    def read(path: Path) -> Run:
        """Read a run.

        Raises:
            SuiteError: it is not the folder of a run, of another version, or holds no records.
        """
        folder = RunFolder(path)
        level = folder.facts.setting.task.level
        records = folder.finished
        if records.empty:
            raise SuiteError(f"{path} holds no records: run the benchmark first, with --reliance.")
        return Run(folder, records.assign(level=records.get(level, np.nan)))

    @property
    def task(self) -> Task:
        """The task."""
        return self.folder.facts.setting.task

    @property
    def label(self) -> str:
        """The run as figures name it: `denoise sigma=25, photos`."""
        return f"{self.folder.facts.name}, {self.folder.facts.setting.dataset}"

    def maps(self, method: str, image: str) -> Maps | None:
        """The maps of an image × method, or None if there are none."""
        arrays = self.folder.pictures.read_reliance(method, image)
        return None if arrays is None else Maps({name: values.astype(float) for name, values in arrays.items()})


@dataclass(frozen=True)
class Runs:
    """The runs of one command, and notes on what is missing in them."""

    runs: tuple[Run, ...]
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def read(folders: Sequence[Path]) -> Runs:
        """Read several runs; see `Run.read` for what it raises."""
        runs = Runs(tuple(Run.read(folder) for folder in folders))
        labels = [run.label for run in runs.runs]
        twice = {label for label in labels if labels.count(label) > 1}
        if twice:
            raise SuiteError(f"two of the folders hold the same experiment ({min(twice)}): give each once.")
        for run in runs.runs:
            measured = run.records.phi_implied.notna()
            if not measured.all():
                runs.notes.append(
                    f"{run.label}: {int((~measured).sum())} of {len(run.records)} records have no implied reliance: "
                    "run the same command again with --reliance."
                )
            keys = run.records[measured][["method", "image"]].to_numpy(dtype=str).tolist()
            lost = [key for key in keys if not run.folder.pictures.has_reliance(*key)]
            if lost:
                runs.notes.append(
                    f"{run.label}: {len(lost)} records have no maps, for instance {' on '.join(lost[0])}: "
                    "run the same command again with --reliance."
                )
        return runs

    @cached_property
    def records(self) -> pd.DataFrame:
        """All records, with the label of their run in column `run`."""
        return pd.concat([run.records.assign(run=run.label) for run in self.runs], ignore_index=True)

    @cached_property
    def lines(self) -> dict[tuple[str, str, str], dict[Hashable, Any]]:
        """The same by (run, method, image)."""
        return {(r["run"], r["method"], r["image"]): r for r in self.records.to_dict("records")}

    @cached_property
    def measured(self) -> list[tuple[Run, str, str, Maps]]:
        """Run, method, image and maps of every record that has maps, in the order of the records."""
        found = []
        for run in self.runs:
            for method, image in run.records[["method", "image"]].to_numpy(dtype=str).tolist():
                maps = run.maps(method, image)
                if maps is not None:
                    found.append((run, method, image, maps))
        return found

    def by_method(self) -> Iterator[tuple[Run, str, list[tuple[str, Maps]]]]:
        """Run, method and its (image, maps), of every method that has maps.

        Raises:
            Missing: no method has any.
        """
        groups: dict[tuple[str, str], tuple[Run, list[tuple[str, Maps]]]] = {}
        for run, method, image, maps in self.measured:
            groups.setdefault((run.label, method), (run, []))[1].append((image, maps))
        if not groups:
            raise Missing("no maps are there: run the benchmark with --reliance")
        for (_, method), (run, images) in groups.items():
            yield run, method, images
