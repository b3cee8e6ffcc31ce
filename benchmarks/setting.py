"""A setting: on what methods are compared. Two runs of one setting may share a folder, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from benchmarks.scores.protocol import Protocol, get_protocol
from datasets.task import Task, get_task


@dataclass(frozen=True)
class Setting:
    """What two runs must share for their records to stand in one folder; equality says whether they do.

    Attributes:
        dataset: label of the data set.
        device: kind of device, cpu or cuda: numbers of different kinds differ in their last digits.
    """

    task: Task
    dataset: str
    split: str
    seed: int
    protocol: Protocol
    device: str

    @property
    def label(self) -> str:
        """The setting as titles have it: `denoise sigma=25 on photos (test)`."""
        return f"{self.task.label} on {self.dataset} ({self.split})"

    def difference(self, other: Setting) -> str | None:
        """Return None if the settings are equal, or the first thing in which they differ."""
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                return f"{field.name} {_said(theirs)!r} there, {_said(mine)!r} now"
        return None

    def to_json(self) -> dict[str, object]:
        """The setting as plain values."""
        return {
            "task": self.task.name,
            "parameters": self.task.parameters,
            "dataset": self.dataset,
            "split": self.split,
            "seed": self.seed,
            "protocol": self.protocol.name,
            "device": self.device,
        }

    @staticmethod
    def from_json(values: Mapping[str, object]) -> Setting:
        """Read what `to_json` wrote; the types of the values have been checked.

        Raises:
            SuiteError: the task, one of its parameters or the protocol is unknown here.
        """
        parameters = values["parameters"]
        assert isinstance(parameters, Mapping)
        return Setting(
            task=get_task(str(values["task"]), **parameters),
            dataset=str(values["dataset"]),
            split=str(values["split"]),
            seed=int(str(values["seed"])),
            protocol=get_protocol(str(values["protocol"])),
            device=str(values["device"]),
        )


def _said(value: object) -> object:
    return value.label if isinstance(value, Task) else value.name if isinstance(value, Protocol) else value
