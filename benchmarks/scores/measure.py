"""A metric as a run uses it: with its parameters, under the name of a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.scores.metric import AnyMetric, SetMetric
from datasets.errors import SuiteError
from datasets.spec import canonical

OTHER_COLUMNS = (
    "task", "dataset", "image", "method", "oracle", "images", "asked", "errors", "error", "phi_mean", "phi_outside",
    "phi_implied", "phi_implied_se", "sure", "seconds", "peak_mb", "published_psnr",
)  # fmt: skip
"""Columns of records and tables that are no metric's."""
ENDINGS = (
    "low", "high", "median", "all", "images", "delta", "delta_low", "delta_high", "wins", "p", "mark",
)  # fmt: skip
"""What follows the name of a metric, after an underscore, in the columns of a summary beside its mean."""


@dataclass(frozen=True)
class Measure:
    """A metric and the name of its column in records and tables: its alias, or its canonical spec.

    Attributes:
        name: `psnr`, or `psnr[channel=y,crop=4]`.
        spec: the text that makes the metric again under the run's protocol, alias included.
    """

    name: str
    spec: str
    metric: AnyMetric

    @property
    def of_set(self) -> bool:
        """True if the value is one of a set and not of an image."""
        return isinstance(self.metric, SetMetric)

    @property
    def title(self) -> str:
        """Head of the column: the metric's title, with its parameters or under its alias if it has some."""
        return self.metric.title + self.name.removeprefix(self.metric.name) if self.is_plain else self.name

    @property
    def is_plain(self) -> bool:
        """True if the column is called after its metric."""
        return self.name.partition("[")[0] == self.metric.name

    @property
    def unit(self) -> str:
        """The unit, or ""."""
        return self.metric.unit

    @property
    def higher_is_better(self) -> bool:
        """Which way is better."""
        return self.metric.higher_is_better

    @property
    def decimals(self) -> int:
        """Digits after the point in tables."""
        return self.metric.decimals

    @property
    def near_exact(self) -> float | None:
        """A value so good that the image had nothing to restore, or None: of the metric's own defaults alone."""
        return self.metric.near_exact if canonical(self.metric.name, self.metric) == self.metric.name else None

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value there can be."""
        return self.metric.limits

    @property
    def signature(self) -> str:
        """How the number is computed."""
        return self.metric.signature


def check_columns(names: Sequence[str], others: Sequence[str] = ()) -> None:
    """Check that metrics can be columns of records and of tables.

    Args:
        names: of the metrics' columns.
        others: further columns, such as the level of the task.

    Raises:
        SuiteError: two columns would have one name.
    """
    columns = Counter([*OTHER_COLUMNS, *others])
    for name in names:
        columns.update([name, *(f"{name}_{ending}" for ending in ENDINGS)])
    twice = next((column for column, times in columns.items() if times > 1), None)
    if twice is not None:
        guilty = next(name for name in names if twice == name or twice.startswith(f"{name}_"))
        raise SuiteError(
            f"the metric '{guilty}' would need a column '{twice}', which there is already: give it another name, as in "
            "--metrics mine=NAME[KEY=VALUE]."
        )
