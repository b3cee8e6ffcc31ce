"""The two ways to score: which convention each metric follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from benchmarks.scores.measure import Measure, check_columns
from datasets.catalog import METRICS
from datasets.errors import unknown
from datasets.spec import Spec, labels_differ, parse


@dataclass(frozen=True)
class Protocol:
    """A choice of conventions. What is scored is clipped to [0,1], rounded to 8 bit, RGB, not cropped, in all of them.

    Attributes:
        parameters: those of each metric, by its name; a metric that is not named has its own defaults.
    """

    name: str
    summary: str
    parameters: Mapping[str, Mapping[str, object]] = field(hash=False)

    def measure(self, spec: str | Spec) -> Measure:
        """Build the metric that a spec means, as this protocol computes it.

        Raises:
            SuiteError: there is no such metric, or a parameter is wrong.
        """
        read = METRICS.resolve(parse(spec, "metric") if isinstance(spec, str) else spec)
        usual = self.parameters.get(read.name, {})
        metric = METRICS.build(read, usual)
        return Measure(METRICS.label(read, metric, usual), str(read), metric)

    def measures(self, specs: str | Iterable[str]) -> tuple[Measure, ...]:
        """Build several.

        Args:
            specs: one text with commas, or one text each.

        Raises:
            SuiteError: as `measure`; or two would have one column, or one the column of something else.
        """
        texts = [specs] if isinstance(specs, str) else specs
        found = [self.measure(spec) for text in texts for spec in METRICS.parse_list(text)]
        labels_differ((measure.name for measure in found), "metrics")
        check_columns([measure.name for measure in found])
        return tuple(found)


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
