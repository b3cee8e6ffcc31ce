"""What is raced: one row or metric against others' code for the same thing, on the same pixels."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from datasets.dataset import get_dataset
from datasets.observation import Observation
from datasets.operators import Luma
from datasets.task import Key, get_task

Array = NDArray[Any]
Result = Tensor | Array | float
Work = Callable[[], Result]
"""One timed call. What a caller would do once for many images, such as loading weights, is done before it; so is the
change to the layout that a peer reads."""
Verdict = Literal["better", "equal", "worse"]

GROUPS = ("denoising", "networks", "inpainting", "metrics")
"""In the order of the table."""
EXTRA = "peers"
"""The optional extra that installs what is raced and not needed otherwise."""
PHOTOGRAPHS = "photos"


@dataclass(frozen=True)
class Size:
    """Of an image: height and width in pixels, and 1 (gray) or 3 planes."""

    height: int
    width: int
    planes: int

    def __str__(self) -> str:
        return f"{self.height}×{self.width} {'gray' if self.planes == 1 else 'colour'}"


def square(sides: Sequence[int] = (256, 512), planes: Sequence[int] = (1, 3)) -> tuple[Size, ...]:
    """Return every side with every number of planes."""
    return tuple(Size(side, side, count) for side in sides for count in planes)


@dataclass(frozen=True)
class Case:
    """What both sides are given: a degraded photograph y (1,C,H,W), with the clean one for the quality alone."""

    clean: Tensor
    observation: Observation

    @property
    def sigma(self) -> float:
        """σ on the [0,1] scale."""
        sigma = self.observation.sigma
        assert sigma is not None
        return float(sigma)

    @property
    def pixels(self) -> Array:
        """y as (H,W) or (H,W,3), float32 and contiguous."""
        return to_array(self.observation.y)


def to_array(image: Tensor) -> Array:
    """Return an image (1,C,H,W) as (H,W) or (H,W,3), contiguous."""
    array: Array = (image[0, 0] if image.shape[1] == 1 else image[0].permute(1, 2, 0)).contiguous().numpy()
    return array


def to_tensor(result: Result) -> Tensor:
    """Return an image (H,W), (H,W,3) or (1,C,H,W) as (1,C,H,W) in double precision."""
    if isinstance(result, Tensor):
        return result.double()
    image = torch.as_tensor(result, dtype=torch.float64)
    return image[None, None] if image.ndim == 2 else image.permute(2, 0, 1)[None]


def make_case(task: str, size: Size) -> Case:
    """Degrade the first embedded photograph, resized."""
    entry = get_dataset(PHOTOGRAPHS).entries("test")[0]
    clean = interpolate(entry.load()[None], size=(size.height, size.width), mode="bicubic").clamp(0, 1)
    clean = clean if size.planes == 3 else Luma().forward(clean)
    observation = get_task(task).degrade(clean[0], Key(0, PHOTOGRAPHS, entry.name))
    return Case(clean, observation.without_truth())


@dataclass(frozen=True)
class Quality:
    """How good a result is.

    Attributes:
        unit: of the number, as in a table.
        higher_is_better: or lower.
        tolerance: qualities no further apart are equal.
        of: case and result → quality.
    """

    unit: str
    higher_is_better: bool
    tolerance: float
    of: Callable[[Case, Result], float]

    def verdict(self, ours: float, theirs: float) -> Verdict:
        """Return whether the peer's result is better than ours, equal or worse."""
        ahead = theirs - ours if self.higher_is_better else ours - theirs
        return "better" if ahead > self.tolerance else "worse" if ahead < -self.tolerance else "equal"


@dataclass(frozen=True)
class Peer:
    """Other people's code.

    Attributes:
        name: package and function.
        package: as pip calls it; `module` is what is imported.
        start: case → the call. It imports what it needs.
        note: how it is called, as a clause; what differs from ours.
        planes: numbers of planes it can do.
    """

    name: str
    package: str
    module: str
    start: Callable[[Case], Work]
    note: str
    planes: tuple[int, ...] = (1, 3)

    def missing(self) -> str | None:
        """Return None if it is installed, or what to do."""
        if importlib.util.find_spec(self.module) is not None:
            return None
        return f"no {self.package}: pip install 'restoration-benchmarks[{EXTRA}]'"

    def version(self) -> str:
        """Return package and version."""
        try:
            return f"{self.package} {importlib.metadata.version(self.package)}"
        except importlib.metadata.PackageNotFoundError:  # it came with another distribution
            return self.module


@dataclass(frozen=True)
class Race:
    """One of ours against its peers.

    Attributes:
        name: what `--only` takes.
        title: of its lines in the table.
        group: one of `GROUPS`.
        task: what is done to the photograph.
        start: case → our call.
        peers: raced one after the other, each in turn with ours.
        quality: of a result.
        missing: None, or why ours cannot be raced here.
        sizes: of the photograph.
        not_raced: peers that never run here, each with the reason.
    """

    name: str
    title: str
    group: str
    task: str
    start: Callable[[Case], Work]
    peers: tuple[Peer, ...]
    quality: Quality
    missing: Callable[[], str | None] = lambda: None
    sizes: tuple[Size, ...] = square()
    not_raced: tuple[tuple[str, str], ...] = ()
