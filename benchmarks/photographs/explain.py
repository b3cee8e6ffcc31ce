"""A figure of one restoration: the photograph, the data f, the reliance φ, the prior g, and the result."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.photographs.restoring import Parts
from benchmarks.tables.colours import PHI_COLOURS
from benchmarks.tables.escape import mathtext
from datasets.files import write_atomically
from datasets.observation import Observation

DPI = 160
LARGEST = 640
"""Pixels of the longer side of a panel: larger images are averaged down."""
PANEL = 3.4
"""Inches of the longer side of a panel."""
NARROWEST = 1.3
"""Inches of a panel's width, so that its title has room."""


def explain(path: Path, title: str, photograph: Tensor, observation: Observation, parts: Parts) -> None:
    """Draw the figure.

    Args:
        path: PNG to write.
        title: of the figure.
        photograph: (C,H,W) in [0,1].
        parts: with φ and g.

    Raises:
        SuiteError: the file cannot be written.
    """
    assert parts.phi is not None
    assert parts.prior is not None
    panels = {
        "photograph": photograph[None],
        "f, the data": observation.fidelity,
        "φ, the share of prior": parts.phi,
        "g, the prior": parts.prior,
        "x̂ = (1 − φ) f + φ g": parts.image,
    }
    height, width = photograph.shape[-2:]
    scale = PANEL / max(height, width)
    across, down = max(width * scale, NARROWEST), height * scale
    figure, axes = plt.subplots(
        1, len(panels), figsize=(across * len(panels) + 0.9, down + 0.75), layout="constrained", facecolor="white"
    )
    for axis, (name, pixels) in zip(axes, panels.items(), strict=True):
        drawn = _draw(axis, pixels, phi=pixels is parts.phi)
        axis.set_title(name, fontsize=9)
        if pixels is parts.phi:
            bar = figure.colorbar(drawn, ax=axis, fraction=0.046, pad=0.02, ticks=[0, 0.5, 1])
            bar.ax.tick_params(labelsize=7, length=2)
            bar.outline.set_linewidth(0.4)
    figure.suptitle(mathtext(title), fontsize=9, x=0.005, ha="left", color="0.35")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    plt.close(figure)
    write_atomically(path, buffer.getvalue())


def _draw(axis: Axes, pixels: Tensor, phi: bool) -> matplotlib.image.AxesImage:
    factor = LARGEST / max(pixels.shape[-2:])
    if factor < 1:
        pixels = interpolate(pixels, scale_factor=factor, mode="area")
    array = np.atleast_3d(pixels[0].float().clamp(0, 1).permute(1, 2, 0).numpy())
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_linewidth(0.4)
    plain = array[..., 0] if array.shape[2] == 1 else array
    return axis.imshow(plain, cmap=PHI_COLOURS if phi else "gray", vmin=0, vmax=1, interpolation="nearest")
