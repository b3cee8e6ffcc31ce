"""What the published denoisers have in common: where their weights come from, and how a noise map is handed over."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.fusion import Restoration
from bigprior.precision import Precision, computing, remarks_on
from bigprior.tiles import Network, tiled
from datasets import fetch
from datasets.observation import Observation
from datasets.task import DENOISING, Problem, Task
from methods.base import Method, noise_level

SIGMA_MAX = 75
"""The highest noise level that the networks with a noise map were trained for, on the 0–255 scale."""


@dataclass(frozen=True)
class Published(Method):
    """A denoiser with weights that others trained: one file of the registry, fetched once, compared by its hash.

    Args:
        precision: of the convolutions; float32 is what the authors computed in, bfloat16 is about twice as fast.
    """

    file: ClassVar[str]
    """The weights' path in the registry."""

    problems: ClassVar[tuple[Problem, ...]] = (DENOISING,)
    decoupled: ClassVar[bool] = False
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")

    precision: Precision = "float32"

    def remarks(self) -> tuple[str, ...]:
        return remarks_on(self.precision)

    def supports(self, task: Task) -> str | None:
        reason = super().supports(task)
        if reason is not None or fetch.locate(self.file) is not None:
            return reason
        return (
            f"its weights, {self.file}, are not on this machine: fetch weights by `python -m datasets fetch models`, "
            f"or set {fetch.MIRROR} to a folder that holds them"
        )

    def weights(self) -> tuple[Path, ...]:
        found = fetch.locate(self.file)
        return () if found is None else (found[1],)

    def weights_here(self) -> Path:
        """Return the file, hash verified; download it if it is not here.

        Raises:
            SuiteError: it is damaged, or cannot be downloaded.
        """
        return fetch.local_path(self.file, "models")


@dataclass(frozen=True)
class NoiseMapped(Published):
    """A colour denoiser trained for σ 0 to 75 that reads σ from a map beside the image: x̂ = network(s y, s σ) / s.

    σ is the observation's, or in blind denoising estimated from y. Where it is 0 the image is y. s = min(1, 75/σ): an
    image with more noise than the network has ever seen is made darker until the noise is 75.

    A gray image is made three equal channels and the output's channels are averaged. Noise that is the same in all
    channels has, along the gray axis, three times the variance of independent noise of the same level, and the network
    is told so: √3 σ.
    """

    radius: ClassVar[int]
    """Radius of the receptive field in pixels."""
    multiple: ClassVar[int] = 1
    """What the sides of an image must be multiples of; others are continued by their last column and row."""

    uses_sigma: ClassVar[bool] = True

    @abstractmethod
    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        """Return the network: (N,4,H,W), R, G, B and the map of σ on [0,1], to (N,3,H,W)."""

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        level = noise_level(observation).to(y)[:, None, None, None]
        if not (level > 0).any():
            return Restoration(y.clone())
        network = self.network(y.dtype, y.device)

        def restored(y: Tensor, level: Tensor) -> Tensor:
            gray = y.shape[1] == 1
            told = level * 3**0.5 if gray else level
            scale = (SIGMA_MAX / 255 / told).clamp(max=1)
            image = network(torch.cat([(scale * y).expand(-1, 3, -1, -1), scale * told], dim=1)) / scale
            return torch.where(level > 0, image.mean(dim=1, keepdim=True) if gray else image, y)

        with computing(self.precision, y.device.type):
            image = tiled(restored, y, level.expand_as(y[:, :1]), overlap=self.radius, multiple=self.multiple)
        return Restoration(image)
