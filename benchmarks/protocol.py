"""The two ways to score: which convention each metric follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from benchmarks.metrics import metrics
from benchmarks.metrics.base import Metric
from datasets.errors import unknown


@dataclass(frozen=True)
class Protocol:
    """A choice of conventions. What is scored is clipped to [0,1], rounded to 8 bit, RGB, not cropped, in all of them.

    Attributes:
        parameters: those of each metric, by its name; a metric that is not named has its own defaults.
    """

    name: str
    summary: str
    parameters: Mapping[str, Mapping[str, object]] = field(hash=False)

    def metric(self, name: str) -> Metric:
        """Build the metric `name` as this protocol computes it.

        Raises:
            SuiteError: there is no such metric.
        """
        if name not in metrics():
            raise unknown("metric", name, metrics())
        return metrics()[name](**self.parameters.get(name, {}))


@cache
def protocols() -> dict[str, Protocol]:
    """Every protocol by name."""
    every = (
        Protocol(
            name="standard",
            summary="SSIM of Wang et al. (2004), LPIPS 0.1",
            parameters={
                "ssim": {"window": "gaussian"},
                "ssim_hole": {"window": "gaussian"},
                "lpips": {"version": "0.1"},
            },
        ),
        Protocol(
            name="paper",
            summary="as the BIGPrior paper: scikit-image's default SSIM, LPIPS 0.0",
            parameters={
                "ssim": {"window": "uniform"},
                "ssim_hole": {"window": "uniform"},
                "lpips": {"version": "0.0"},
            },
        ),
    )
    return {protocol.name: protocol for protocol in every}


def get_protocol(name: str) -> Protocol:
    """Return the protocol `name`.

    Raises:
        SuiteError: there is no such protocol.
    """
    if name not in protocols():
        raise unknown("protocol", name, protocols())
    return protocols()[name]
