"""What the paper's authors released: per-image arrays of all 11 experiments, and inversions and a φ-network to run.

Nothing of it is in this repository; `datasets/registry.csv` knows every file by its hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from skimage.color import rgb2lab
from torch import Tensor

from benchmarks import environment
from benchmarks.paper.experiments import BIGPRIOR, MGAN, Experiment
from benchmarks.scoring import Scorer, quantise
from bigprior.fusion import Restoration
from bigprior.phi.network import load_phi, shipped
from bigprior.phi.paper_backbone import load_released, restore_released
from bigprior.phi.released import RELEASE, RELEASED_TEST, inversion
from datasets import fetch
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.files import write_atomically
from datasets.observation import Observation
from datasets.task import Key, get_task
from methods.registry import get_method

Floats = NDArray[np.float64]

ARRAYS = {(BIGPRIOR, "psnr"): "MSE", (MGAN, "psnr"): "MSE_GAN", (BIGPRIOR, "auc"): "AUC", (MGAN, "auc"): "AUC_GAN"}
PHI = "Mphi"

REPRODUCED = "reproduced.csv"
COLUMNS = ["row", "image", "psnr", "auc", "ssim", "lpips", "mse_float", "auc_float", "phi_mean", "phi_mean_u8",
           "phi_outside"]  # fmt: skip
"""psnr, auc, ssim, lpips: protocol `paper`, on 8 bit. mse_float, auc_float: as the released arrays, of unclamped
floats. phi_mean_u8: φ clipped to [0,1] and rounded to 8 bit before the mean, as in the authors' notebook."""


@cache
def array(experiment: Experiment, name: str) -> Floats | None:
    """Return a released array (50,), in the order of the test images, or None where it is not on this machine."""
    path = f"{RELEASE}/net_data/{experiment.released}/{name}.npy"
    if path not in fetch.registry() or fetch.locate(path) is None:
        return None
    values: Floats = np.load(fetch.local_path(path), allow_pickle=False)
    return values.ravel()


def scores(experiment: Experiment, method: str, metric: str) -> Floats | None:
    """Return the released scores (50,) of a published method, or None: PSNR in dB from unclamped errors, AuC in %."""
    name = ARRAYS.get((method, metric))
    values = None if name is None else array(experiment, name)
    return -10 * np.log10(values) if values is not None and metric == "psnr" else values


CHROMA = "chroma-given-luma-row-bedroom"
"""The method whose image is the better f(y): fitted on the training images of the set."""
OURS = {"phi-gray": "phi-mgan-bedroom-gray", "phi-chroma": "phi-mgan-bedroom-chroma"}
"""Our φ-networks for the released inversions: row → name of the shipped weights.

Trained on bedrooms 0–199, chosen on 200–249: with gray f the paper's loss (24.44 dB on reduced images, against 24.35 of
the relative one, 24.37 of the gain, and 24.41 of φ = ½), with the chroma table the relative loss (25.15 dB; f alone has
25.15). No network found a gain over that f: there φ goes to 0.
"""
ROWS = {
    "mgan-prior": "the released inversion alone",
    "bigprior-released": "the released φ-network (unbounded, three channels), f = y",
    "bigprior-released-church": "the φ-network released for churches, on these bedrooms",
    "phi-gray": "our φ-network (bounded, one channel), f = neutral gray",
    "phi-chroma": f"our φ-network, f = {CHROMA}",
    CHROMA: "that f alone, no inversion",
}


def _fidelity(row: str) -> Callable[[Observation], Tensor]:
    """f(y) of one of our rows: neutral gray, or the usual chroma given luma and row of the training images."""
    if row == "phi-gray":
        return lambda observation: observation.fidelity
    return lambda observation: get_method(CHROMA).restore(observation).image


def restorer(row: str) -> Callable[[Observation, Tensor], Restoration]:
    """Return the function (observation, g) → restoration of a row.

    Raises:
        SuiteError: a checkpoint or weights are not there.
    """
    if row == "mgan-prior":
        return lambda o, g: Restoration(g)
    if row == CHROMA:
        return lambda o, g: Restoration(get_method(CHROMA).restore(o).image)
    if row in OURS:
        ours, fidelity = load_phi(shipped(OURS[row])), _fidelity(row)

        def restore(o: Observation, g: Tensor) -> Restoration:
            f = fidelity(o)
            assert o.sigma is not None
            return Restoration.fused(f, g, ours(f, g, o.mask, o.sigma))

        return restore
    experiment = "col_church_1" if row.endswith("church") else "col_bedroom_1"
    network = load_released(fetch.local_path(f"{RELEASE}/net_data/{experiment}/net_24.pth"))
    return lambda o, g: restore_released(network, o.y, g)


def _evaluate(row: str) -> Iterator[dict[str, object]]:
    restore = restorer(row)
    metrics = [m for m in ("psnr", "auc", "ssim", "lpips") if _available(m)]
    scorer = Scorer("paper", metrics)
    task = get_task("colorize")
    for number, entry in zip(RELEASED_TEST, get_dataset("lsun-bedroom").entries("test"), strict=True):
        clean = entry.load()
        observation = task.degrade(clean, Key(0, "lsun-bedroom", entry.name)).without_truth()
        with torch.no_grad():
            result = restore(observation, inversion(number))
        prepared = scorer.prepare(clean[None], observation.mask)
        values = {name: float(value) for name, value in scorer.score(prepared, result.image).items()}
        yield {"row": row, "image": entry.name, **values, **_float_scores(result, clean), **_phi(result)}


def _available(metric: str) -> bool:
    from benchmarks.protocol import get_protocol

    return get_protocol("paper").metric(metric).unavailable() is None


def _float_scores(result: Restoration, clean: Tensor) -> dict[str, float]:
    """The scores as the authors' test script has them: nothing is clipped or rounded."""
    found, truth = (rgb2lab(i.permute(1, 2, 0).numpy())[..., 1:] for i in (result.image[0], clean))
    distance = np.linalg.norm(found - truth, axis=-1)
    return {
        "mse_float": float((result.image[0] - clean).square().mean()),
        "auc_float": float(100 * (1 - np.minimum(np.ceil(distance), 150).mean() / 150)),
    }


def _phi(result: Restoration) -> dict[str, float]:
    if result.phi is None:
        return {}
    outside = (result.phi < 0) | (result.phi > 1)
    return {
        "phi_mean": float(result.phi.mean()),
        "phi_mean_u8": float(quantise(result.phi).mean()),
        "phi_outside": float(outside.double().mean()),
    }


def reproduce(out: Path, compute: bool = True) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the scores of `ROWS` on the 50 bedroom test images, and for each missing row why.

    Rows that are stored in `out` are read; the others are computed (about a minute each on one core) and stored as
    each is finished.

    Args:
        out: folder of the tables.
        compute: False to only read.
    """
    path = out / REPRODUCED
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
    reasons: dict[str, str] = {}
    for row in ROWS:
        if row in set(table.row):
            continue
        if not compute:
            reasons[row] = "not stored"
            continue
        try:
            made = pd.DataFrame(_evaluate(row)).reindex(columns=COLUMNS)
        except SuiteError as error:
            reasons[row] = str(error)
            continue
        table = made if table.empty else pd.concat([table, made], ignore_index=True)
        write_atomically(path, table.to_csv(index=False).encode())
        _note(out, row)
    return table, reasons


def _note(out: Path, row: str) -> None:
    """Keep where a row of the reproduction was computed, and when."""
    path = out / Path(REPRODUCED).with_suffix(".json")
    notes = json.loads(path.read_text()) if path.exists() else {}
    notes[row] = {
        "commit": environment.commit(),
        "versions": environment.versions(),
        "hardware": environment.hardware("cpu"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomically(path, (json.dumps(notes, indent=2) + "\n").encode())
