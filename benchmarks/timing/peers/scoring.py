"""What the races of metrics share: the observation, rounded to 8 bit, is scored against the photograph."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from benchmarks.scores.metric import Metric
from benchmarks.scores.protocol import get_protocol
from benchmarks.scores.scorer import quantise
from benchmarks.timing.peers.race import Case, Quality, Result, Work

NOISY = "denoise[sigma=25]"


def pair(case: Case) -> tuple[Tensor, Tensor]:
    """Return the reference and the image (1,C,H,W), float32, both multiples of 1/255."""
    return quantise(case.clean), quantise(case.observation.y)


def metric(name: str) -> Metric:
    """Return a metric of the suite under the standard protocol."""
    found = get_protocol("standard").measure(name).metric
    assert isinstance(found, Metric)
    return found


def scored(name: str) -> Callable[[Case], Work]:
    """Return the start of a metric of the suite: the share of the reference and that of the image, for one pair."""

    def start(case: Case) -> Work:
        ours, (reference, image), mask = metric(name), pair(case), case.observation.mask
        return lambda: ours.score(ours.prepare(reference, mask), image)

    return start


def error(unit: str, tolerance: float, exact: Callable[[Case], float]) -> Quality:
    """Judge a value by its distance from the definition, computed in double precision.

    Args:
        unit: of the metric.
        tolerance: distances no further apart are equal.
        exact: case → the value.
    """

    def of(case: Case, result: Result) -> float:
        return abs(float(result) - exact(case))

    return Quality(f"{unit} off", False, tolerance, of)
