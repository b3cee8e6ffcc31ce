"""A task is a seeded, pure degradation. Its random key never depends on the method or on the order of work."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from datasets.catalog import TASKS
from datasets.noise import Gaussian, Noise, NoNoise
from datasets.observation import Observation, Truth
from datasets.operators import Identity, Luma, Masking, Operator
from datasets.spec import Spec, build


class Problem(NamedTuple):
    """A kind of inverse problem: the operator and the noise that a method must know to solve a task."""

    operator: type[Operator]
    noise: type[Noise]

    def __str__(self) -> str:
        return f"{self.operator.title} with {self.noise.title}"


DENOISING = Problem(Identity, Gaussian)
INPAINTING = Problem(Masking, NoNoise)
COLORIZATION = Problem(Luma, NoNoise)


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
    problem: ClassVar[Problem]
    """The operator and the noise of its observations."""
    metrics: ClassVar[tuple[str, ...]]
    """Specs of the metrics that are scored on this task; tables are sorted by the first."""
    needs_colour: ClassVar[bool] = False
    level: ClassVar[str] = ""
    """Name of the quantity that says how strong the degradation of an image is, a column of records; "" if none."""
    level_title: ClassVar[str] = ""
    """The level with its unit: the label of an axis."""
    examples: ClassVar[tuple[str, ...]] = ()
    """Specs of settings that the contract suite tries, beside the defaults."""
    variants: ClassVar[dict[str, str]] = {}
    """Names of settings: a name, and the spec that it stands for."""

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters as plain values, as they enter the random key, `run.json` and error messages."""
        return asdict(self)

    @property
    def blind(self) -> bool:
        """True if the law of the noise is hidden from the methods."""
        return False

    @property
    def label(self) -> str:
        """The task with its parameters, as printed and as it enters the random key: `denoise sigma=25`."""
        return " ".join([self.name, *(f"{k}={v}" for k, v in self.parameters.items())])

    @abstractmethod
    def degrade(self, clean: Tensor, key: Key) -> Observation:
        """Degrade one clean image (C,H,W) in [0,1] into an Observation of batch size one, truth included."""

    def level_of(self, truth: Truth) -> float | None:
        """Return the level of one image, or None if the task has none."""
        return None

    def random(self, key: Key) -> np.random.RandomState:
        """The random state of one image.

        `RandomState` and not `Generator`: NumPy promises never to change its streams, so a seed means the same
        pixels in ten years.
        """
        text = "\x1f".join([str(key.seed), key.dataset, key.image, self.label])
        words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32)
        return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words.tolist())))


def get_task(spec: str, **parameters: object) -> Task:
    """Build a task from its spec; parameters can be given as keywords as well.

    Raises:
        SuiteError: the name or a parameter is unknown, or a value is out of range.
    """
    if not parameters:
        task: Task = TASKS.build(spec)
        return task
    given = tuple((name, str(value)) for name, value in parameters.items())
    made: Task = build(TASKS.get(spec), Spec(spec, given), "task")
    return made
