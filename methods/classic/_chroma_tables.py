"""The fit of the chroma tables of the colorization methods, as `python -m methods.classic.fit_chroma` carries it out.

For a luma y and relative row r, the table holds the median colour of the training pixels near (y, r): AuC is
100 (1 − E min(⌈d⌉, 150) / 150) with d the CIE76 distance in the ab plane, so its maximiser is, up to the rounding, the
geometric median argmin_c E‖ab − c‖.

Everything follows from one histogram of (luma, row, ab) per training set. It is smoothed by a Gaussian over luma and
row, since neighbouring cells share pixels of few images and would otherwise learn those images.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab
from torch import Tensor

from bigprior.domains import LumaChroma
from datasets.dataset import get_dataset
from datasets.errors import SuiteError
from datasets.operators import LUMA
from datasets.task import Key
from datasets.tasks.colorize import Colorize
from methods.classic._colorization import TABLES, look_up

SETS = ("lsun-bedroom", "lsun-church", "lsun-conference")
TOGETHER = "lsun"
FITTED = 220
"""Images of a training split that the validated tables are fitted on; the others validate. Shipped tables use all."""

LEVELS, ROWS = 32, 16
AB_MAX = 64
"""Colours are counted in unit squares of the ab plane, centred on integers in −64..64; the few beyond are clipped."""
LUMA_BLUR, ROW_BLUR = 1.0, 2.0
"""Standard deviations of the smoothing in bins."""
DIGITS = 4
THRESHOLDS = 150

Floats = NDArray[np.float64]

_AXIS = np.arange(-AB_MAX, AB_MAX + 1)
AB = np.stack(np.meshgrid(_AXIS, _AXIS, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float64)


def histogram(images: Iterable[Tensor]) -> Floats:
    """Count the pixels of RGB images (3,H,W) per cell: (LEVELS, ROWS, colours), colours in the order of `AB`."""
    total = np.zeros((LEVELS, ROWS, len(AB)))
    for image in images:
        luma = (observed(image)[0, 0] * 255).round().long().numpy()
        ab = np.clip(np.rint(lab(image)), -AB_MAX, AB_MAX).astype(np.int64) + AB_MAX
        height = len(luma)
        row = (np.arange(height) * ROWS // height)[:, None]
        cell = (luma * LEVELS // 256 * ROWS + row) * len(AB) + ab[..., 0] * len(_AXIS) + ab[..., 1]
        values, counts = np.unique(cell, return_counts=True)
        total.reshape(-1)[values] += counts
    return total


def observed(image: Tensor) -> Tensor:
    """Return the luma (1,1,H,W) that the task shows of an RGB image (3,H,W)."""
    return Colorize().degrade(image, Key(0, "", "")).y


def lab(image: Tensor) -> Floats:
    """Return the ab plane (H,W,2) of an RGB image (3,H,W)."""
    return rgb2lab(image.permute(1, 2, 0).double().numpy())[..., 1:]


def geometric_median(counts: Floats, ab: Floats, iterations: int = 100) -> Floats:
    """Return argmin_c Σ_k counts_k √(‖ab_k − c‖² + ¼), (...,2), by Weiszfeld's iteration.

    Args:
        counts: (...,K), how often each colour occurs.
        ab: (K,2), the colours.
        iterations: of Weiszfeld, from the mean.

    The smoothing by half a bin keeps the iteration away from the poles.
    """
    weights = counts.reshape(-1, counts.shape[-1])
    median = weights @ ab / weights.sum(axis=1, keepdims=True)
    for _ in range(iterations):
        distance = np.sqrt((median[:, :1] - ab[:, 0]) ** 2 + (median[:, 1:] - ab[:, 1]) ** 2 + 0.25)
        pull = weights / distance
        median = pull @ ab / pull.sum(axis=1, keepdims=True)
    return median.reshape(*counts.shape[:-1], 2)


def chroma_of(ab: Floats, luma: Floats) -> Floats:
    """Return (B−Y, R−Y), (...,2), of the colours of given ab (...,2) and luma (...) in [0,1].

    L is the one at which the colour, brought into the RGB cube, has that luma.
    """
    lightness = np.linspace(0, 100, 1001)
    result = np.empty_like(ab)
    for where in np.ndindex(luma.shape):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*negative Z values")  # outside the cube: clipped, as meant
            path = lab2rgb(np.column_stack([lightness, np.tile(ab[where], (len(lightness), 1))]))
        lumas = path @ np.array(LUMA)
        rgb = np.array([np.interp(luma[where], lumas, path[:, k]) for k in range(3)])
        result[where] = rgb[[2, 0]] - rgb @ np.array(LUMA)
    return result


def fit(counts: Floats) -> dict[str, Floats]:
    """Fit the three tables (2,L,R) of (B−Y, R−Y) to a histogram."""
    occurring = counts.any(axis=(0, 1))
    counts, ab = counts[..., occurring], AB[occurring]
    # A cell that no training image reaches takes the median of all pixels.
    counts = counts + counts.sum(axis=(0, 1)) / counts.sum()
    smooth = {
        "constant": counts.sum(axis=(0, 1), keepdims=True),
        "luma": ndimage.gaussian_filter1d(counts.sum(axis=1, keepdims=True), LUMA_BLUR, axis=0, mode="nearest"),
        "luma_row": ndimage.gaussian_filter(counts, (LUMA_BLUR, ROW_BLUR, 0), mode="nearest"),
    }
    tables = {}
    for name, cells in smooth.items():
        levels, rows = cells.shape[:2]
        # The mean byte of a bin, on the [0,1] scale.
        luma = ((np.arange(levels) + 0.5) * 256 / levels - 0.5) / 255
        chroma = chroma_of(geometric_median(cells, ab), np.repeat(luma[:, None], rows, axis=1))
        tables[name] = np.moveaxis(chroma, -1, 0).round(DIGITS)
    return tables


def auc(table: Floats, images: Sequence[Tensor]) -> float:
    """Return the mean AuC (%) of the colorization by a table, on 8-bit images."""
    scores = []
    for image in images:
        luma = observed(image).double()
        guess = torch.cat([luma, look_up(torch.from_numpy(table), luma)], dim=1)
        restored = (LumaChroma().synthesis(guess)[0].clamp(0, 1) * 255).round() / 255
        distance = np.linalg.norm(lab(restored) - lab(image), axis=-1)
        scores.append(100 * (1 - np.minimum(np.ceil(distance), THRESHOLDS).mean() / THRESHOLDS))
    return float(np.mean(scores))


CARD = """# Chroma tables

Fitted by `python -m methods.classic.fit_chroma`, which has the method and its constants. Do not edit the tables by
hand.

- Data: the training splits (images 0–249 by file name, 256×256) of `lsun-bedroom`, `lsun-church` and
  `lsun-conference`. `lsun.json` is fitted on the three together, each other file on the set of its name. The test
  splits (250–299) were not used. Do not score these tables on training images.
- Content: `constant`, `luma` and `luma_row`, arrays (2, luma bins, row bins) of (B−Y, R−Y) on the [0,1] scale, values
  at the bin centres: the geometric median of the training pixels' ab chroma, at the luma of the bin. They are
  statistics over all training pixels; nothing of a single image is kept.
- Validation, AuC in % (mean over images {fitted}–249 of the training split, tables fitted on 0–{last}):

| fitted on | images of | constant | luma | luma and row |
| --- | --- | --- | --- | --- |
"""


def write_tables(folder: Path = TABLES) -> None:
    """Fit and write all tables and the card.

    Raises:
        SuiteError: the training images are not there.
    """
    fitted: dict[str, Floats] = {}
    counts: dict[str, Floats] = {}
    held_out: dict[str, list[Tensor]] = {}
    for name in SETS:
        if (reason := get_dataset(name).available("train")) is not None:
            raise SuiteError(reason)
        images = [entry.load() for entry in get_dataset(name).entries("train")]
        fitted[name], held_out[name] = histogram(images[:FITTED]), images[FITTED:]
        counts[name] = fitted[name] + histogram(held_out[name])
    for histograms in (fitted, counts):
        histograms[TOGETHER] = np.sum(list(histograms.values()), axis=0)

    card = CARD.format(fitted=FITTED, last=FITTED - 1)
    for name in (TOGETHER, *SETS):
        tables = {key: table.tolist() for key, table in fit(counts[name]).items()}
        (folder / f"{name}.json").write_text(json.dumps(tables) + "\n", "utf-8")
        validated = fit(fitted[name])
        for images_of in SETS if name == TOGETHER else (name,):
            scores = [f"{auc(table, held_out[images_of]):.2f}" for table in validated.values()]
            card += f"| {' | '.join([name, images_of, *scores])} |\n"
    (folder / "README.md").write_text(card, "utf-8")
