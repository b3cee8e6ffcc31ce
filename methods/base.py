"""The interface of every method: one stateless call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from bigprior.fusion import Restoration
from datasets.observation import Observation
from datasets.spec import check_ranges
from datasets.task import Problem, Task
from methods.noise import estimate_sigma


@dataclass(frozen=True)
class Method(ABC):
    """A restoration method. Subclasses are frozen dataclasses of their parameters, one file each.

    A new method is one new file in `methods/classic/`, `methods/supervised/` or a plugin folder: a subclass that
    sets the class variables below and implements `restore`. It is then listed, run and tested. A parameter is a field
    with a default, and a line under "Args:" in the docstring; a range is `Annotated[int, Within(1, 63)]`, and a number
    outside it is a ValueError.

    No state: `restore` gives the same result for an image whatever came before it and whatever batch it is in.
    """

    name: ClassVar[str]
    """Identifier on the command line and in records."""
    summary: ClassVar[str]
    """One line for `python -m methods list`."""
    citation: ClassVar[str]
    """Authors, title, venue, year."""
    problems: ClassVar[tuple[Problem, ...]]
    """The operators, each with its noise, that the method knows: it runs on every task that has one of them."""
    decoupled: ClassVar[bool]
    """True if every restoration carries φ, f, g and the domain."""
    variants: ClassVar[dict[str, str]] = {}
    """Names of settings that tables show beside the defaults: a name, and the spec that it stands for."""
    uses_sigma: ClassVar[bool] = False
    """True if the method is told σ: in blind denoising it runs with an estimate and, as a second row, the truth."""
    oracle: ClassVar[bool] = False
    """True if the method looks at the clean image: an upper bound, never a competitor."""
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    """Kinds of device the method computes on; elsewhere it is given and returns CPU tensors."""
    warm_up: ClassVar[bool] = True
    """False if a first call costs no more than any other: then no small image is restored before the timed one."""
    on_request: ClassVar[str | None] = None
    """Why `--methods all` leaves the method out on a CPU; it runs if it is named, or on another device."""
    batch_size: ClassVar[int] = 1
    """How many images of one size the runner hands over at once."""
    elsewhere: ClassVar[bool] = False
    """True if the results were made elsewhere and are only read: seconds, memory and reliance are not measured."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def supports(self, task: Task) -> str | None:
        """Return None if the method can run on the task, or the reason why not and, if there is one, the remedy."""
        if task.problem in self.problems:
            return None
        return f"made for {', '.join(map(str, self.problems))}, not for {task.problem}"

    def supports_set(self, dataset: str, split: str, seed: int) -> str | None:
        """Return None if the method can run on a set, given by its label, or the reason why not."""
        return None

    def remarks(self) -> tuple[str, ...]:
        """Return what must be said beside the row's numbers, each a clause without a full stop."""
        return ()

    def weights(self) -> tuple[Path, ...]:
        """The fitted or trained files the method reads; their hashes go into run.json."""
        return ()

    @abstractmethod
    def restore(self, observation: Observation) -> Restoration:
        """Restore a batch. Output on the device and in the dtype of `observation.y`; the image is not clipped."""


def noise_level(observation: Observation) -> Tensor:
    """Return σ (N,) on the [0,1] scale: what the observation says, or an estimate from y if it is blind."""
    return observation.sigma if observation.sigma is not None else estimate_sigma(observation.y)
