"""A task is a seeded, pure degradation. Its random key never depends on the method or on the order of work."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from torch import Tensor

from datasets.errors import SuiteError, unknown
from datasets.observation import Observation
from datasets.plugins import discover


@dataclass(frozen=True)
class Key:
    """The random key of one image: (seed, dataset, image); the task and its parameters are added by the task."""

    seed: int
    dataset: str
    image: str


@dataclass(frozen=True)
class Task(ABC):
    """A degradation model. Subclasses are frozen dataclasses of parameters, one file each in `datasets/tasks/`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """Names of the metrics that are scored on this task; tables are sorted by the first."""
    needs_colour: ClassVar[bool] = False
    blind: ClassVar[bool] = False
    """True if σ is drawn per image and hidden from the methods (an instance property in `denoise`)."""

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters as plain values, as they enter the random key, `run.json` and error messages."""
        return asdict(self)

    @property
    def label(self) -> str:
        """The task with its parameters, as printed: `denoise sigma=25`."""
        return " ".join([self.name, *(f"{k}={v}" for k, v in self.parameters.items())])

    @abstractmethod
    def degrade(self, clean: Tensor, key: Key) -> Observation:
        """Degrade one clean image (C,H,W) in [0,1] into an Observation of batch size one, truth included."""

    def random(self, key: Key) -> np.random.RandomState:
        """The random state of one image.

        `RandomState` and not `Generator`: NumPy promises never to change its streams, so a seed means the same
        pixels in ten years.
        """
        text = "\x1f".join([str(key.seed), key.dataset, key.image, self.label])
        words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32)
        return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words.tolist())))


@cache
def tasks() -> dict[str, type[Task]]:
    """Every task by name."""
    return discover("datasets.tasks", Task)  # type: ignore[type-abstract]


def get_task(name: str, **parameters: object) -> Task:
    """Build the task `name`.

    Raises:
        SuiteError: the name or a parameter is unknown, or a value is out of range.
    """
    if name not in tasks():
        raise unknown("task", name, tasks())
    try:
        return tasks()[name](**parameters)
    except TypeError as error:
        raise SuiteError(f"task '{name}' does not take these parameters: {parameters} ({error}).") from error
