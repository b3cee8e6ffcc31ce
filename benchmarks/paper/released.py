"""What the paper's authors released of their results: per-image arrays of all 11 experiments.

They are read from the release where it is on this machine, which `datasets/registry.csv` knows file by file, and from
the copy that is kept beside the tables otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.paper.experiments import BIGPRIOR, EXPERIMENTS, MGAN, Experiment
from bigprior.phi.released import RELEASE
from datasets import fetch
from datasets.files import write_atomically

Floats = NDArray[np.float64]

ARRAYS = {(BIGPRIOR, "psnr"): "MSE", (MGAN, "psnr"): "MSE_GAN", (BIGPRIOR, "auc"): "AUC", (MGAN, "auc"): "AUC_GAN"}
PHI = "Mphi"
NAMES = (*ARRAYS.values(), PHI)
KEPT = "released.csv"
"""The copy: run, number and one column per array, 50 lines per experiment."""
FIRST = 250
"""Number of the first test image."""


@dataclass(frozen=True)
class Release:
    """The released arrays.

    Attributes:
        arrays: (run of an experiment, name of an array) → (50,), in the order of the test images.
    """

    arrays: Mapping[tuple[str, str], Floats]

    @staticmethod
    def read(inputs: Path) -> Release:
        """Read what there is: the copy in a folder, and over it the release itself."""
        found: dict[tuple[str, str], Floats] = {}
        path = inputs / KEPT
        if path.exists():
            for run, part in read_exactly(path, ("run",)).groupby("run", sort=False):
                found |= {(str(run), name): part[name].to_numpy() for name in NAMES if part[name].notna().all()}
        for e in EXPERIMENTS:
            for name in NAMES:
                values = _released(e, name)
                if values is not None:
                    found[e.run, name] = values
        return Release(found)

    def array(self, experiment: Experiment, name: str) -> Floats | None:
        """Return an array (50,), or None where there is none."""
        return self.arrays.get((experiment.run, name))

    def scores(self, experiment: Experiment, method: str, metric: str) -> Floats | None:
        """Return the scores (50,) of a published method, or None: PSNR in dB from unclamped errors, AuC in %."""
        name = ARRAYS.get((method, metric))
        values = None if name is None else self.array(experiment, name)
        return -10 * np.log10(values) if values is not None and metric == "psnr" else values

    def write(self, out: Path) -> None:
        """Write the copy into a folder, if there is anything."""
        parts = []
        for e in EXPERIMENTS:
            mine = {name: self.arrays[e.run, name] for name in NAMES if (e.run, name) in self.arrays}
            if mine:
                lines = pd.DataFrame(mine).reindex(columns=NAMES)
                lines.insert(0, "number", range(FIRST, FIRST + len(lines)))
                lines.insert(0, "run", e.run)
                parts.append(lines)
        if parts:
            write_atomically(out / KEPT, pd.concat(parts, ignore_index=True).to_csv(index=False).encode())


def read_exactly(path: Path, texts: Collection[str]) -> pd.DataFrame:
    """Return a CSV whose numbers are read to the last bit, whatever the version of pandas.

    Args:
        texts: the columns that are text.
    """
    table = pd.read_csv(path, dtype=str)
    return table.astype({name: float for name in table.columns if name not in texts})


def _released(experiment: Experiment, name: str) -> Floats | None:
    """Return an array of the release, or None where it is not on this machine."""
    path = f"{RELEASE}/net_data/{experiment.released}/{name}.npy"
    if path not in fetch.registry() or fetch.locate(path) is None:
        return None
    values: Floats = np.load(fetch.local_path(path), allow_pickle=False)
    return values.ravel()
