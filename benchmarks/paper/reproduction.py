"""Bedroom colorization again from the released inversions: the released φ-networks, and ours, on the 50 test images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from skimage.color import rgb2lab
from torch import Tensor

from benchmarks.folder import provenance
from benchmarks.folder.pictures import Pictures, file_name, image_folder
from benchmarks.paper.networks import ROWS, row_of
from benchmarks.paper.released import read_exactly
from benchmarks.rows import Row
from benchmarks.scores.measure import Measure
from benchmarks.scores.metric import Metric
from benchmarks.scores.protocol import get_protocol
from benchmarks.scores.scorer import quantise
from benchmarks.trial import Bench, Trial, run_trial
from bigprior.phi.released import RELEASED_TEST, SET, TASK, inversion
from datasets.dataset import Entry, get_dataset
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.task import get_task

REPRODUCED = "reproduced.csv"
SCORES = ("psnr", "auc", "ssim", "lpips")
COLUMNS = ["row", "image", *SCORES, "mse_float", "auc_float", "phi_mean", "phi_mean_u8", "phi_outside"]
"""psnr, auc, ssim, lpips: protocol `paper`, on 8 bit. mse_float, auc_float: as the released arrays, of unclamped
floats. phi_mean_u8: φ clipped to [0,1] and rounded to 8 bit before the mean, as in the authors' notebook."""


@dataclass(frozen=True)
class FloatMSE(Metric):
    """The mean squared error of floats, neither clipped nor rounded, on the [0,1] scale squared."""

    name: ClassVar[str] = "mse_float"
    title: ClassVar[str] = "MSE of floats"
    higher_is_better: ClassVar[bool] = False
    decimals: ClassVar[int] = 5
    limits: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    quantised: ClassVar[bool] = False

    @property
    def signature(self) -> str:
        return "mse|rgb|float"

    def prepare(self, reference: Tensor, mask: Tensor) -> Tensor:
        return reference

    def score(self, prepared: Tensor, image: Tensor) -> Tensor:
        return torch.stack([(x - y).square().mean() for x, y in zip(image, prepared, strict=True)]).double()


@dataclass(frozen=True)
class FloatAuC(Metric):
    """AuC of floats, neither clipped nor rounded, in single precision, as the authors' test script has it, in %."""

    name: ClassVar[str] = "auc_float"
    title: ClassVar[str] = "AuC of floats"
    unit: ClassVar[str] = "%"
    higher_is_better: ClassVar[bool] = True
    decimals: ClassVar[int] = 4
    limits: ClassVar[tuple[float, float]] = (0.0, 100.0)
    quantised: ClassVar[bool] = False

    @property
    def signature(self) -> str:
        return "auc|ab|float|t0-149"

    def prepare(self, reference: Tensor, mask: Tensor) -> list[Any]:
        return [_chroma(image) for image in reference]

    def score(self, prepared: list[Any], image: Tensor) -> Tensor:
        distances = [np.linalg.norm(_chroma(x) - y, axis=-1) for x, y in zip(image, prepared, strict=True)]
        found = [float(100 * (1 - np.minimum(np.ceil(d), 150).mean() / 150)) for d in distances]
        return torch.tensor(found, dtype=torch.float64)


def _chroma(image: Tensor) -> Any:
    return rgb2lab(image.permute(1, 2, 0).cpu().numpy())[..., 1:]


def measures() -> tuple[Measure, ...]:
    """What is scored: the metrics of the protocol that can be computed here, and the two of floats."""
    asked = [get_protocol("paper").measure(name) for name in SCORES]
    floats = [Measure(metric.name, metric.name, metric) for metric in (FloatMSE(), FloatAuC())]
    return (*(measure for measure in asked if measure.metric.unavailable() is None), *floats)


def evaluate(name: str, limit: int | None = None) -> Iterator[dict[str, object]]:
    """Yield one line of `COLUMNS` per test image of a row of `ROWS`.

    Args:
        limit: only the first images.

    Raises:
        SuiteError: weights or an inversion are not there, or an image could not be restored.
    """
    scored = measures()
    for number, entry in list(zip(RELEASED_TEST, get_dataset(SET).entries("test"), strict=True))[:limit]:
        yield {"row": name, "image": entry.name, **_numbers(row_of(name, inversion(number)), entry, scored)}


def _numbers(row: Row, entry: Entry, scored: tuple[Measure, ...]) -> dict[str, object]:
    with TemporaryDirectory() as folder:
        bench = Bench(get_task(TASK), SET, 0, scored, out=Path(folder), save_images=True)
        (record,) = run_trial(bench, Trial(row, (entry,))).records
        if record.error:
            raise SuiteError(f"{row.label} on {entry.name}: {record.error.removeprefix('SuiteError: ')}")
        if record.phi_mean is None:
            return dict(record.values)
        told = _means_of_phi(Path(folder), row.label, entry.name)
        return {**record.values, **told, "phi_outside": record.phi_outside}


def _means_of_phi(folder: Path, label: str, image: str) -> dict[str, float]:
    """The mean of φ over its own channels, as it was kept, and of its 8-bit image."""
    kept = image_folder(Pictures(folder).images, image) / f"{file_name(label)}.npz"
    with np.load(kept, allow_pickle=False) as arrays:
        phi = torch.from_numpy(arrays["phi"])
    return {"phi_mean": float(phi.mean()), "phi_mean_u8": float(quantise(phi).mean())}


def stored(*folders: Path) -> pd.DataFrame:
    """Return the rows that folders hold, each from the first that has it."""
    table = pd.DataFrame(columns=COLUMNS)
    for path in (folder / REPRODUCED for folder in folders):
        if path.exists():
            read = read_exactly(path, ("row", "image"))
            new = read[~read.row.isin(table.row)]
            table = new if table.empty else pd.concat([table, new], ignore_index=True)
    return table


def reproduce(inputs: Path, out: Path, compute: bool = True) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the scores of `ROWS` on the 50 bedroom test images, and for each missing row why.

    What is stored is read; the other rows are computed (about a minute each on one core), and `out` holds them as each
    is finished.

    Args:
        inputs: folder with stored rows; it is not written to, unless it is `out`.
        out: folder of what is computed, read too.
        compute: False to only read.
    """
    table, reasons = stored(inputs, out), {}
    for row in ROWS:
        if row in set(table.row):
            continue
        if not compute:
            reasons[row] = "not stored"
            continue
        try:
            made = pd.DataFrame(evaluate(row)).reindex(columns=COLUMNS)
        except SuiteError as error:
            reasons[row] = str(error)
            continue
        table = made if table.empty else pd.concat([table, made], ignore_index=True)
        before = stored(out)
        kept = made if before.empty else pd.concat([before, made], ignore_index=True)
        write_atomically(out / REPRODUCED, kept.to_csv(index=False).encode())
        _note(out, row)
    return table, reasons


def _note(out: Path, row: str) -> None:
    """Keep where a row of the reproduction was computed, and when."""
    path = (out / REPRODUCED).with_suffix(".json")
    notes = json.loads(path.read_text("utf-8")) if path.exists() else {}
    notes[row] = {
        "commit": provenance.commit(),
        "versions": provenance.versions(),
        "hardware": provenance.hardware("cpu"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomically(path, (json.dumps(notes, indent=2) + "\n").encode())
