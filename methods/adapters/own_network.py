"""What all rows of a user's own network have in common: how an image is handed over and taken back."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.tiles import tiled
from datasets.errors import SuiteError
from datasets.observation import Observation
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem, Task
from methods.adapters.convention import Asked, Call, Convention, find, handed, restored
from methods.base import Method, noise_level

Stamp = tuple[tuple[str, int, int], ...]
"""Path, size and time of change of files."""


@dataclass(frozen=True)
class Opened:
    """A network that is ready to be called.

    Attributes:
        what: its file and what is in it, for messages and for `show`.
        call: (1,C,H,W) in single precision, and σ if it is told, to an image.
    """

    what: str
    call: Call


@dataclass(frozen=True, kw_only=True)
class OwnNetwork(Asked, Method):
    """x̂ = network(f(y)), or f(y) − network(f(y)) if it predicts the noise; f(y) is the observation as an image.

    In denoising f(y) = y, in inpainting it is 0 in the holes, in colorization gray. The row runs on every task: whether
    the network was made for it is the user's business. It computes in single precision, one image at a time.

    Raises:
        SuiteError: (from `restore`) see `supports`.
    """

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    decoupled: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    @abstractmethod
    def opened(self) -> Opened:
        """Open the network.

        Raises:
            SuiteError: a file is not there or holds something else, or a package is missing.
        """

    @property
    def uses_sigma(self) -> bool:  # type: ignore[override]
        """True if the network is told σ."""
        return (self.convention.level if self.level == "auto" else self.level) != "none"

    @property
    def convention(self) -> Convention:
        """How the network is used, as the user says or as was found by trying it.

        Raises:
            SuiteError: it cannot be opened or used; the reason is that of `supports`.
        """
        return _ready(self, stamp(self.weights()))[1]

    def supports(self, task: Task) -> str | None:
        try:
            _ready(self, stamp(self.weights()))
        except SuiteError as error:
            return str(error).rstrip(".")
        return None

    def remarks(self) -> tuple[str, ...]:
        try:
            opened, found = _ready(self, stamp(self.weights()))
        except SuiteError as error:
            return (str(error).rstrip("."),)
        values = {
            "range": str(found.range),
            "channels": "1 or 3" if len(found.channels) > 1 else str(found.channels[0]),
            "residual": str(found.residual).lower(),
            "level": found.level,
            "multiple": str(found.multiple),
        }
        given = [f"{name}={value}" for name, value in values.items() if getattr(self, name) != "auto"]
        guessed = [f"{name}={value}" for name, value in values.items() if getattr(self, name) == "auto"]
        said = [f"{', '.join(given)} as given or by default"] if given else []
        said += [f"{', '.join(guessed)} found by trying it"] if guessed else []
        tried = f"a ramp with noise of σ 25 goes from {found.noisy:.1f} to {found.restored:.1f} dB"
        return ("; ".join([opened.what, *said, tried]),)

    def restore(self, observation: Observation) -> Restoration:
        opened, found = _ready(self, stamp(self.weights()))
        image = observation.fidelity
        n, channels, *size = image.shape
        level = noise_level(observation) if found.level != "none" else image.new_zeros(n)
        averaged = channels == 1 and 1 not in found.channels
        if averaged:
            image, level = image.expand(-1, 3, -1, -1), 3**0.5 * level
        elif channels not in found.channels:
            image, level = image.reshape(-1, 1, *size), level.repeat_interleave(channels)
        given = torch.cat([image, level[:, None, None, None].expand_as(image[:, :1])], dim=1).float()
        result = torch.cat([self._restored(opened, found, each[None]) for each in given]).to(observation.y)
        return Restoration(result.mean(dim=1, keepdim=True) if averaged else result.reshape(n, channels, *size))

    def _restored(self, opened: Opened, found: Convention, x: Tensor) -> Tensor:
        network = handed(opened.call, found.level, found.number)
        tiles = lambda x: tiled(network, x, tile=self.tile, overlap=self.overlap, multiple=found.multiple)  # noqa: E731
        return restored(tiles, x, found.range, found.residual)


def stamp(files: tuple[Path, ...]) -> Stamp:
    """Return what tells files from their earlier content."""
    return tuple((str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@cache
def _ready(row: OwnNetwork, files: Stamp) -> tuple[Opened, Convention]:
    opened = row.opened()
    found = find(opened.call, row, opened.what)
    if row.tile // found.multiple <= 2 * -(-row.overlap // found.multiple):
        raise SuiteError(f"nothing is left of a tile of {row.tile} without an overlap of {row.overlap} on both sides.")
    return opened, found
