"""What is invented in one photograph, as maps beside φ: of the first embedded photograph, which anyone may be shown."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.reliance.drawing import PHI_COLOURS
from benchmarks.rows import Row
from benchmarks.trust.invention import invention
from benchmarks.trust.measuring import central
from benchmarks.trust.predictors import Answer, variance
from datasets.dataset import get_dataset
from datasets.task import Key, Task

PHOTOGRAPHS, SIDE = "photos", 256
HIGHEST = 60.0
"""Error or null part, on the 0–255 scale, at the bright end of the colours."""
DPI = 100
"""Less than that of other figures: these are photographs, and large."""
PHI, SPREAD = "declared φ, 0 to 1", "spread of draws"


def draw_invented(task: Task, rows: Sequence[Row]) -> Figure | None:
    """Draw x̂, φ, the null part, both hallucination maps, error and spread of each row; None if A is not linear.

    A map that no row has is left out.
    """
    dataset = get_dataset(PHOTOGRAPHS)
    entry = dataset.entries("test")[0]
    observation = task.degrade(central(entry.load(), SIDE), Key(0, dataset.label, entry.name))
    if not observation.operator.linear or observation.truth is None:
        return None
    pictures, maps, shares = [], [], []
    for row in rows:
        with torch.no_grad():
            given = row.view(observation, "cpu")
            restoration = row.method.restore(given)
        image, truth = restoration.image, observation.truth.clean
        parts = invention(given, image, truth)
        phi, spread = restoration.phi_map(), variance(Answer(given, restoration))
        error = (image - truth).square().mean(dim=1, keepdim=True).sqrt()
        pictures.append(image)
        shares.append(100 * float(parts.share))
        maps.append({
            PHI: None if phi is None else HIGHEST * phi.expand_as(error),
            "null part": 255 * parts.null_part,
            "measured-space map": 255 * parts.measured_map,
            "null-space map": 255 * parts.null_map,
            "error": 255 * error,
            SPREAD: None if spread is None else spread.sqrt(),
        })  # fmt: skip
    shown = [name for name in maps[0] if any(each[name] is not None for each in maps)]
    columns = 1 + len(shown)
    size = 1.5 * columns, 0.4 + 1.62 * len(rows)
    figure, axes = plt.subplots(len(rows), columns, figsize=size, dpi=DPI, squeeze=False)
    for line, row, image, each, share in zip(axes, rows, pictures, maps, shares, strict=True):
        line[0].imshow(_picture(image))
        line[0].set_xticks([])
        line[0].set_yticks([])
        line[0].set_ylabel(row.label, fontsize=6)
        line[0].set_xlabel(f"null part: {share:.1f}% of the energy", fontsize=6)
        for axis, name in zip(line[1:], shown, strict=True):
            _map(axis, each[name])
    for axis, title in zip(axes[0], ("restoration", *shown), strict=True):
        axis.set_title(title, fontsize=7)
    figure.suptitle(f"{task.label}; maps from 0 to {HIGHEST:g} of 255", x=0.01, ha="left", fontsize=8)
    figure.tight_layout()
    return figure


def _picture(image: Tensor) -> NDArray[np.float32]:
    pixels = image[0].clamp(0, 1).permute(1, 2, 0).float().numpy()
    return np.asarray(np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels)


def _map(axis: Axes, values: Tensor | None) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    if values is None:
        axis.text(0.5, 0.5, "none", ha="center", va="center", fontsize=7, transform=axis.transAxes)
        axis.set_frame_on(False)
        return
    axis.imshow(values[0, 0].float().numpy(), cmap=PHI_COLOURS, vmin=0, vmax=HIGHEST)
