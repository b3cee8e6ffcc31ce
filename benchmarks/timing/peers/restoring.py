"""What the races of rows share: our call, and how good a restoration is."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from benchmarks.rows import Row
from benchmarks.timing.peers.race import Case, Quality, Result, Work, to_tensor
from datasets.task import get_task

DENOISE = "denoise[sigma=25]"
CENTRE = "inpaint-center"
TOLERANCE = 0.05
"""dB under which two restorations are equally good: what rounding of a parameter of either may move."""


def row(spec: str) -> Callable[[Case], Work]:
    """Return the start of a row: its `restore` on the observation, with what the row declares beside the image."""
    method = Row.parse(spec).method

    def start(case: Case) -> Work:
        def work() -> Tensor:
            return method.restore(case.observation).image

        return work

    return start


def row_missing(spec: str, task: str) -> Callable[[], str | None]:
    """Return what tells why a row cannot run here, such as for want of its weights."""
    return lambda: Row.parse(spec).method.supports(get_task(task))


def _decibels(error: float) -> float:
    return math.inf if error == 0 else -10 * math.log10(error)


def psnr(case: Case, result: Result) -> float:
    """Return the PSNR in dB of an image clipped to [0,1]."""
    return _decibels(float((to_tensor(result).clamp(0, 1) - case.clean).square().mean()))


def psnr_hole(case: Case, result: Result) -> float:
    """Return the PSNR in dB over the pixels that were not observed, the image clipped to [0,1]."""
    error = (to_tensor(result).clamp(0, 1) - case.clean).square().mean(dim=1, keepdim=True)
    return _decibels(float(error[case.observation.mask == 0].mean()))


PSNR = Quality("dB", True, TOLERANCE, psnr)
PSNR_HOLE = Quality("dB in the hole", True, TOLERANCE, psnr_hole)
