"""Draw the README's picture: `python docs/picture.py`. The scene is drawn too: nobody else's image is shipped."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.task import Key, get_task
from methods.registry import get_method

OUT = Path(__file__).with_name("picture.png")
SIDE = 256
PHI = "magma"
ROWS = (("denoise[sigma=50]", "bigprior"), ("inpaint-center", "bigprior"))
"""Task and method of each row of the picture."""

Floats = NDArray[np.float64]


def ridge(random: np.random.RandomState, height: float, rough: float) -> Floats:
    """Return a mountain line: a sum of waves of falling height, one value per column."""
    x = np.arange(SIDE) / SIDE
    waves = [rough / k * np.sin(2 * np.pi * (k * x + random.rand())) for k in (1, 2, 3, 5, 8, 13, 21)]
    return height + np.sum(waves, axis=0)


def scene() -> Tensor:
    """Return the scene (3,256,256) in [0,1]: sky, sun, mountains, a striped field and a house of bricks."""
    random = np.random.RandomState(3)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    image = np.stack([0.55 + 0.4 * y, 0.62 + 0.25 * y, 0.85 - 0.15 * y], axis=-1)
    sun = np.clip(18 - 300 * np.hypot(x - 0.78, y - 0.2) / 2, 0, 1)[..., None]
    image = (1 - sun) * image + sun * [1.0, 0.93, 0.7]
    for height, rough, colour in ((0.5, 0.05, (0.45, 0.5, 0.62)), (0.62, 0.03, (0.28, 0.36, 0.38))):
        below = y > ridge(random, height, rough)[None]
        shade = 1 + 0.25 * (y - height)
        image = np.where(below[..., None], shade[..., None] * np.array(colour), image)
    field = y > 0.72 + 0.02 * np.sin(5 * x)
    furrows = 0.5 + 0.5 * np.sin(60 * (x - 0.5) / (y - 0.55 + 1e-9))
    green = np.stack([0.3 + 0.22 * furrows, 0.42 + 0.2 * furrows, 0.18 + 0.08 * furrows], axis=-1)
    image = np.where(field[..., None], green, image)
    wall = (abs(x - 0.36) < 0.16) & (y > 0.52) & (y < 0.85)
    row = np.floor(y * 42)
    joint = ((y * 42) % 1 < 0.16) | ((x * 24 + 0.5 * (row % 2)) % 1 < 0.09)
    brick = np.where(
        joint[..., None], [0.74, 0.7, 0.66], np.array([0.62, 0.3, 0.22]) * (0.85 + 0.3 * np.sin(row * 7)[..., None] / 2)
    )
    image = np.where(wall[..., None], brick, image)
    roof = (y > 0.38) & (y <= 0.52) & (abs(x - 0.36) < 0.19 * (y - 0.36) / 0.16)
    tiles = 0.8 + 0.2 * np.sign(np.sin(130 * y)) * np.sign(np.sin(110 * x + 3 * np.floor(130 * y / np.pi)))
    image = np.where(roof[..., None], np.array([0.35, 0.25, 0.28]) * tiles[..., None], image)
    for left in (0.25, 0.4):
        pane = (x > left) & (x < left + 0.07) & (y > 0.58) & (y < 0.68)
        cross = pane & ((abs(x - left - 0.035) < 0.004) | (abs(y - 0.63) < 0.004))
        image = np.where(pane[..., None], [0.2, 0.26, 0.36], image)
        image = np.where(cross[..., None], [0.92, 0.9, 0.85], image)
    return torch.from_numpy(np.clip(image, 0, 1).astype(np.float32)).permute(2, 0, 1).contiguous()


def draw(out: Path = OUT) -> None:
    """Write the picture: a row per task, with what was observed, what was restored, and how much of it is prior."""
    clean = scene()
    figure, axes = plt.subplots(len(ROWS), 3, figsize=(7.6, 2.55 * len(ROWS)), layout="constrained")
    for axis_row, (spec, name) in zip(axes, ROWS, strict=True):
        task, method = get_task(spec), get_method(name)
        observation = task.degrade(clean, Key(0, "picture", "scene"))
        with torch.no_grad():
            restored = method.restore(observation.without_truth())
        phi = restored.phi_map()
        assert phi is not None
        pictures = (observation.fidelity[0], restored.image[0])
        titles = (f"observed: {task.label}", f"restored: {name}")
        for axis, picture, title in zip(axis_row[:2], pictures, titles, strict=True):
            axis.imshow(picture.clamp(0, 1).permute(1, 2, 0).numpy())
            axis.set_title(title, fontsize=8)
        map_ = axis_row[2].imshow(phi[0, 0].numpy(), cmap=PHI, vmin=0, vmax=1)
        axis_row[2].set_title(f"φ: mean {float(phi.mean()):.2f}", fontsize=8)
        for axis in axis_row:
            axis.set_axis_off()
    figure.colorbar(map_, ax=axes[:, 2], label="0: data    1: prior", shrink=0.8)
    figure.savefig(out, dpi=110, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    draw()
    print(OUT)
