"""What can be said of restorations without a clean original, per photograph and method."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.folder.pictures import file_name, made_folder, to_png
from benchmarks.photographs.files import Photograph
from benchmarks.photographs.observe import Known, Observed, observe
from benchmarks.photographs.restoring import restored
from benchmarks.photographs.whiteness import whiteness
from benchmarks.rows import Row
from benchmarks.tables.colours import PHI_COLOURS
from benchmarks.trial import describe
from bigprior.fusion import Restoration
from bigprior.implied import default_step, implied_reliance, sure
from datasets.errors import SuiteError
from datasets.files import StorageError, write_atomically
from datasets.observation import Observation

LARGEST, SIDE = 2**20, 512
"""Pixels of a photograph that is compared whole by default, and the side of the centre of a larger one."""
SPAN = 4.0
"""Pictures of what was removed are black at −SPAN·σ, gray at 0 and white at SPAN·σ."""
RESULTS, REMOVED, PHI = "results", "removed", "phi"
"""Folders of the pictures of x̂, of y − x̂ and of φ."""
PHOTOGRAPH = "photograph.png"
NUMBERS = (
    "sigma", "removed", "removed_per_sigma", "across", "down", "correlation", "white", "sure", "error", "phi",
    "phi_implied", "phi_implied_se", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One photograph restored by one method.

    Attributes:
        numbers: by the names in NUMBERS; absent where there is none. `sigma`, `removed` (the standard deviation of
            y − x̂) and `error` (√SURE, NaN where SURE is negative) are on the 0–255 scale and `sure` on its square;
            `across`, `down`, `correlation` and `white` are those of `whiteness`.
        failure: why there is no result, or "".
        has_phi: whether there is a picture of φ.
    """

    photograph: str
    method: str
    numbers: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    has_phi: bool = False


@dataclass
class Comparison:
    """All photographs and all methods.

    Attributes:
        cells: one per photograph and method.
        differences: photograph → (M,M) root mean square difference of two results on the 0–255 scale, as they are
            written, rounded to 8 bit; NaN where one is missing.
        said: photograph → its size and σ, in words.
        notes: sentences.
    """

    methods: list[str]
    cells: list[Cell] = field(default_factory=list)
    differences: dict[str, np.ndarray] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """One line per photograph and method: `photograph`, `method`, NUMBERS, `failure`."""
        rows = [
            {"photograph": c.photograph, "method": c.method, **{n: c.numbers.get(n, math.nan) for n in NUMBERS},
             "failure": c.failure}
            for c in self.cells
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["photograph", "method", *NUMBERS, "failure"])

    def means(self) -> pd.DataFrame:
        """One line per method, the least estimated error first: means over its results, `differs` and `failures`.

        `error` is the root of the mean of `sure`, `differs` the mean difference from the other methods.
        """
        table = self.table()
        means = table.groupby("method")[list(NUMBERS)].mean().reindex(self.methods)
        means["error"] = means.sure.where(means.sure >= 0) ** 0.5
        means["failures"] = (table.failure != "").groupby(table.method).sum().reindex(self.methods)
        apart = self.agreement()
        np.fill_diagonal(apart, math.nan)
        means["differs"] = pd.DataFrame(apart).mean(axis=1).to_numpy()
        return means.sort_values("error", kind="stable", na_position="last")

    def agreement(self) -> np.ndarray:
        """Return (M,M), the mean of `differences` over the photographs that both methods restored."""
        if not self.differences:
            return np.full((len(self.methods),) * 2, math.nan)
        stack = np.stack(list(self.differences.values()))
        there = np.isfinite(stack)
        total, count = np.where(there, stack, 0).sum(0), there.sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def centre(photograph: Photograph, whole: bool) -> tuple[Photograph, bool]:
    """Return what is compared of a photograph, and whether that is a part: its centre, if it is large."""
    height, width = photograph.pixels.shape[1:]
    if whole or height * width <= LARGEST:
        return photograph, False
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    part = photograph.pixels[:, top : top + SIDE, left : left + SIDE].clone()
    return Photograph(photograph.path, part, photograph.channels, photograph.bits), True


def compare_one(
    comparison: Comparison,
    photograph: Photograph,
    rows: Sequence[Row],
    known: Known,
    out: Path,
    *,
    device: str,
    probes: int,
    done: Callable[[str], object],
) -> None:
    """Add one photograph to a comparison, restored by every row, and write the pictures of it.

    Args:
        done: called after each row with its label.

    Raises:
        SuiteError: the noise of the photograph cannot be estimated, or a picture cannot be written. What goes wrong
            in a method is its `failure`.
    """
    name = photograph.path.name
    observed = observe(photograph, known)
    height, width = photograph.pixels.shape[1:]
    comparison.said[name] = f"{width}×{height}, {observed.said}"
    if observed.doubt:
        comparison.notes.append(f"{name}: {observed.doubt}.")
    folder = made_folder(out / RESULTS, name)
    write_atomically(folder / PHOTOGRAPH, to_png(photograph.pixels))
    written: list[np.ndarray | None] = []
    for row in rows:
        cell, pixels = _attempt(row, name, observed, out, device, probes)
        comparison.cells.append(cell)
        written.append(pixels)
        done(row.label)
    comparison.differences[name] = _differences(written)


def _attempt(
    row: Row, name: str, observed: Observed, out: Path, device: str, probes: int
) -> tuple[Cell, np.ndarray | None]:
    reason = row.supports(observed.task)
    if reason is not None:
        return Cell(name, row.label, failure=reason), None
    try:
        return _restore(row, name, observed, out, device, probes)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:  # methods are others' code
        return Cell(name, row.label, failure=str(error) if isinstance(error, SuiteError) else describe(error)), None


def _restore(
    row: Row, name: str, observed: Observed, out: Path, device: str, probes: int
) -> tuple[Cell, np.ndarray | None]:
    observation, y = observed.observation, observed.observation.y
    sigma = observation.sigma
    assert sigma is not None
    began = time.perf_counter()
    parts = restored(row, observation, device, phi=True)
    seconds = time.perf_counter() - began

    def again(moved: Observation) -> Restoration:
        return Restoration(restored(row, moved, device).image)

    implied = implied_reliance(
        again, observation, probes=probes, step=default_step(sigma, 1), base=Restoration(parts.image)
    )
    residual = y - parts.image
    white = whiteness(residual)
    squared = float(sure(y, parts.image, sigma, implied.mean)) * 255**2
    level, removed = float(sigma) * 255, float(residual.double().std(correction=0)) * 255
    numbers = {
        "sigma": level,
        "removed": removed,
        "removed_per_sigma": removed / level,
        "across": white.across,
        "down": white.down,
        "correlation": white.correlation,
        "white": white.expected,
        "sure": squared,
        "error": math.sqrt(squared) if squared >= 0 else math.nan,
        "phi_implied": float(implied.mean),
        "phi_implied_se": float(implied.standard_error),
        "seconds": seconds,
    }
    if parts.phi_mean is not None:
        numbers["phi"] = parts.phi_mean
    file = f"{file_name(row.label)}.png"
    write_atomically(made_folder(out / RESULTS, name) / file, to_png(parts.image[0]))
    shown = 0.5 + residual / (2 * SPAN * sigma.view(-1, 1, 1, 1))
    write_atomically(made_folder(out / REMOVED, name) / file, to_png(shown[0]))
    if parts.phi is not None:
        write_atomically(made_folder(out / PHI, name) / file, to_png(coloured(parts.phi[0, 0])))
    pixels = parts.image[0].clamp(0, 1).mul(255).round().byte().numpy()
    return Cell(name, row.label, numbers, has_phi=parts.phi is not None), pixels


def coloured(phi: Tensor) -> Tensor:
    """Return φ (H,W) as a picture (3,H,W) in the colours of the suite's figures."""
    return torch.from_numpy(matplotlib.colormaps[PHI_COLOURS](phi.clamp(0, 1).numpy())[..., :3]).permute(2, 0, 1)


def _differences(images: Sequence[np.ndarray | None]) -> np.ndarray:
    """Return (M,M): the root mean square difference of every two 8-bit images; NaN where one is missing."""
    found = np.full((len(images),) * 2, math.nan)
    for place, image in enumerate(images):
        if image is not None:
            found[place, place] = 0
    for (i, a), (j, b) in itertools.combinations(enumerate(images), 2):
        if a is not None and b is not None:
            square = np.square(np.subtract(a, b, dtype=np.int16), dtype=np.int32)
            found[i, j] = found[j, i] = math.sqrt(square.mean(dtype=np.float64))
    return found
