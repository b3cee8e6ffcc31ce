"""Published figures: read from `results/published/`, each with its source, never mixed with what was measured."""

from __future__ import annotations

import pandas as pd

from benchmarks.environment import ROOT
from datasets.dataset import datasets

FOLDER = ROOT / "results" / "published"
DENOISING = FOLDER / "denoising_psnr.csv"
OURS = {"cbm3d": "bm3d", "dncnn-s": "dncnn-gray-25"}
"""Published names of methods that are called otherwise here: one `bm3d` row serves gray and colour."""
OURS_IN_COLOUR = OURS | {"ffdnet": "ffdnet-color"}
"""On colour sets; on gray ones the published FFDNet is another network, which the suite does not have."""


def published_psnr(task: str, dataset: str, sigma: str) -> dict[str, tuple[float, str]]:
    """Return method → (published mean PSNR in dB, source) for a denoising run, empty where nothing was published.

    Args:
        task: name of the task.
        dataset: name of the set.
        sigma: fixed σ on the 0–255 scale, or a blind range (then empty).
    """
    if task != "denoise" or ":" in sigma:
        return {}
    table = pd.read_csv(DENOISING)
    hit = table[(table.dataset == dataset) & (table.sigma == float(sigma)) & (table.metric == "psnr")]
    rows = zip(hit.method, hit.value, hit.source, strict=True)
    ours = OURS_IN_COLOUR if dataset in datasets() and datasets()[dataset].colour else OURS
    return {ours.get(method, method): (float(value), source) for method, value, source in rows}
