"""A photograph as an observation: nothing is degraded, the photograph is what was observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.photographs.files import Photograph
from datasets.errors import SuiteError
from datasets.images import read_image
from datasets.noise import Gaussian, NoNoise
from datasets.observation import Observation
from datasets.operators import Identity, Luma, Masking
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem, Task, get_task
from methods.noise import estimate_sigma

WHITE = 0.5
"""From here on, on [0,1], a pixel of a mask is white."""
RUNS, RUN = 8, 128
"""σ is estimated from so many runs of so many rows, and of columns, of a larger photograph, spread evenly."""
LITTLE = 1.0
"""σ on the 0–255 scale. Less is found where noise is not white: in what a camera has smoothed and compressed."""


@dataclass(frozen=True)
class Known:
    """What is known beside the photographs.

    Attributes:
        task: gives the problem to solve.
        sigma: of white Gaussian noise on the 0–255 scale; None: to be estimated from each photograph.
        mask: file of the mask, white where a photograph is to be filled; None without holes.
    """

    task: Task
    sigma: float | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class Observed:
    """An observation of one image.

    Attributes:
        task: that a method must support.
        said: what is known of the degradation, in words.
        doubt: what may be wrong with that, or "".
    """

    observation: Observation
    task: Task
    said: str
    doubt: str = ""


def observe(photograph: Photograph, known: Known) -> Observed:
    """Make the observation that a photograph is.

    Raises:
        SuiteError: its noise cannot be estimated, its mask does not fit, it has colour already, or the task is of no
            kind that a photograph can be an observation of.
    """
    builder = _BUILDERS.get(known.task.problem)
    if builder is None:
        raise SuiteError(
            f"task '{known.task.name}' has {known.task.problem}, which is not known of a photograph: "
            "restore with denoise, an inpainting task or colorize."
        )
    return builder(photograph, known)


def photograph_sigma(y: Tensor) -> float:
    """Estimate σ of the noise in a photograph, on the scale of y (1,C,H,W), as if it were white.

    The larger of two estimates by `methods.noise.estimate_sigma`: from the channels together, and the mean of those
    from each alone. Noise that is alike in the channels, as behind the chroma subsampling of a JPEG, looks like
    structure to the first; the second is the less precise where the noise of the channels is independent. Of a side
    over 1024 pixels, 8 runs of 128 are looked at: a photograph of 24 megapixels would take minutes.
    """
    y = y[..., _spread(y.shape[2]), :][..., _spread(y.shape[3])]
    together = float(estimate_sigma(y))
    return together if y.shape[1] == 1 else max(together, float(estimate_sigma(y[0][:, None]).mean()))


def _spread(length: int) -> Tensor:
    """Return the places along an axis that are looked at: all, or runs from its first to its last."""
    if length <= RUNS * RUN:
        return torch.arange(length)
    starts = torch.linspace(0, length - RUN, RUNS).round().long()
    return (starts[:, None] + torch.arange(RUN)).flatten()


def _noisy(photograph: Photograph, known: Known) -> Observed:
    y = photograph.pixels[None]
    level = known.sigma if known.sigma is not None else photograph_sigma(y) * 255
    if not level > 0:
        raise SuiteError(f"no noise can be found in '{photograph.path}': give its σ by --sigma N, on the 0–255 scale.")
    level = float(f"{min(level, 255.0):.4g}")
    noise = Gaussian(torch.tensor([level / 255], dtype=y.dtype))
    estimated = known.sigma is None
    said = f"σ {level:g}" + (" (estimated)" if estimated else "")
    doubt = ""
    if estimated and level < LITTLE:
        doubt = "hardly any white noise was found; what a camera has smoothed is not white: give its σ by --sigma N"
    return Observed(Observation(y, Identity(), noise), get_task("denoise", sigma=f"{level:g}"), said, doubt)


def _masked(photograph: Photograph, known: Known) -> Observed:
    if known.mask is None:
        raise SuiteError(f"{known.task.name} needs a mask: give --mask M.png, white where the photograph is filled.")
    hole = read_image(known.mask).mean(0) >= WHITE
    height, width = photograph.pixels.shape[1:]
    if hole.shape != (height, width):
        raise SuiteError(
            f"mask '{known.mask}' is {hole.shape[1]}x{hole.shape[0]} and '{photograph.path}' is {width}x{height}: "
            "give a mask of the same size."
        )
    if hole.all() or not hole.any():
        wrong = "white everywhere, so nothing is known" if hole.all() else "black everywhere, so nothing is filled"
        raise SuiteError(f"mask '{known.mask}' is {wrong}: paint white what is to be filled, and black the rest.")
    operator = Masking((~hole).to(photograph.pixels.dtype)[None, None])
    observation = Observation(operator.forward(photograph.pixels[None]), operator, NoNoise())
    return Observed(observation, known.task, f"{hole.float().mean():.1%} filled")


def _gray(photograph: Photograph, known: Known) -> Observed:
    if len(photograph.pixels) != 1:
        raise SuiteError(f"'{photograph.path}' is in colour: {known.task.name} needs a gray photograph.")
    return Observed(Observation(photograph.pixels[None], Luma(), NoNoise()), known.task, "colour added")


_BUILDERS: dict[Problem, Callable[[Photograph, Known], Observed]] = {
    DENOISING: _noisy,
    INPAINTING: _masked,
    COLORIZATION: _gray,
}
