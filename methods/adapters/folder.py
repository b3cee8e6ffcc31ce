"""Results that were made elsewhere, as a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.domains import Pixel
from bigprior.fusion import Restoration, fuse
from datasets.errors import SuiteError
from datasets.exchange import MANIFEST, Exported, Observations, digests, read_observations
from datasets.files import expanded
from datasets.observation import Observation
from datasets.task import COLORIZATION, DENOISING, INPAINTING, Problem, Task
from methods.adapters._results import Result, bits, find, read_pixels
from methods.base import Method

TOLERANCE = 1e-3
"""By how much x̂ may differ from the fusion of the φ and g beside it."""
SHOWN = 5
"""So many names are written out."""


@dataclass(frozen=True)
class ResultsFolder(Method):
    """x̂ is read from a file: restorations of observations that `python -m benchmarks export` wrote.

    A result is found by the SHA-256 of the observation's float bytes in observations.json, so that one of another task,
    σ, set or seed is an error and never a score. RESULT is the name in observations.json under "result":

        RESULT.npy, .mat, .tif, .png    x̂, (H,W) or (H,W,3). Floats are on the [0,1] scale and not clipped; 8 and 16 bit
                                        are divided by full scale. Of a .mat the variable x, image or restored, or the
                                        only image. Of several files of one name the first in this order.
        RESULT.draw1.npy, …             in its place: samples of the posterior; x̂ is their mean
        RESULT.phi.npy, RESULT.g.npy    φ (H,W) or as x̂, and g as x̂: the row is decoupled with f = f(y), and
                                        |x̂ − (1 − φ) f − φ g| ≤ 10⁻³ is checked

    Args:
        path: folder of the results.
        observations: folder that observations.json is in; none: that of the results.

    Source: none, the results are the user's own.
    """

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "results made elsewhere, from the files of a folder"
    citation: ClassVar[str] = "no source: the user's own results"
    problems: ClassVar[tuple[Problem, ...]] = (DENOISING, INPAINTING, COLORIZATION)
    decoupled: ClassVar[bool] = False
    elsewhere: ClassVar[bool] = True
    warm_up: ClassVar[bool] = False

    path: Path
    observations: Path | None = None

    @property
    def exported(self) -> Observations:
        """What was exported.

        Raises:
            SuiteError: there is no observations.json that can be read.
        """
        return read_observations(expanded(self.observations or self.path))

    def found(self) -> tuple[dict[str, Result], list[str]]:
        """Return the results by the names that observations.json has for them, and files that belong to none.

        Raises:
            SuiteError: observations.json or the folder cannot be read.
        """
        return find(expanded(self.path), [image.result for image in self.exported.images])

    def supports(self, task: Task) -> str | None:
        try:
            exported, results = self.exported, self.found()[0]
        except SuiteError as error:
            return str(error).removesuffix(".")
        if task.label != exported.task:
            return f"its observations were exported for {exported.label}"
        if not results:
            first = exported.images[0].name
            return f"{self.path} has no result: save that of image '{first}' there as {exported.example}, and so on"
        return None

    def supports_set(self, dataset: str, split: str, seed: int) -> str | None:
        exported = self.exported
        if (dataset, split, seed) == (exported.dataset, exported.split, exported.seed):
            return None
        return f"its observations were exported for {exported.label}"

    def remarks(self) -> tuple[str, ...]:
        try:
            images, (results, extra) = self.exported.images, self.found()
        except SuiteError:
            return ()  # `supports` says why
        said = ["made elsewhere: no seconds, no memory and no implied reliance"]
        missing = [image.name for image in images if image.result not in results]
        if missing:
            said.append(f"{len(missing)} of {len(images)} results are missing: {_some(missing)}")
        if extra:
            said.append(f"{len(extra)} file(s) in {self.path} belong to no image or are not read: {_some(extra)}")
        depths = [(image.name, bits(results[image.result].images[0])) for image in images if image.result in results]
        for depth in (8, 16):
            rounded = [name for name, found in depths if found == depth]
            if rounded:
                scale = 2**depth - 1
                said.append(f"{len(rounded)} result(s) are rounded to {depth} bit, ±0.5/{scale}: {_some(rounded)}")
        draws = Counter(len(result.draws) for result in results.values() if result.draws)
        said += [f"x̂ is the mean of {number} draws for {count} image(s)" for number, count in sorted(draws.items())]
        decoupled = sum(result.phi is not None and result.prior is not None for result in results.values())
        if decoupled:
            said.append(f"φ and g are beside {decoupled} result(s)")
        twins = [image.name for image in images if self.exported.by_key[image.key] != image]
        if twins:
            said.append(f"the same observation as another, and given its result: {_some(twins)}")
        return tuple(said)

    def weights(self) -> tuple[Path, ...]:
        try:
            results = self.found()[0]
        except SuiteError:
            return ()
        manifest = expanded(self.observations or self.path) / MANIFEST
        return (manifest, *(file for result in results.values() for file in result.files))

    def restore(self, observation: Observation) -> Restoration:
        """Return the results of a batch.

        Raises:
            SuiteError: an observation was not exported, or its result is missing, damaged, of another size or not the
                fusion of the φ and g beside it.
        """
        exported, results = self.exported, self.found()[0]
        parts = [self._one(observation.select(n), exported, results) for n in range(len(observation))]
        image = torch.cat([part.image for part in parts])
        if not all(part.decoupled for part in parts):
            return Restoration(image)
        priors, phis = ([getattr(part, name) for part in parts] for name in ("prior", "phi"))
        return Restoration(image, observation.fidelity, torch.cat(priors), torch.cat(phis), Pixel())

    def _one(self, observation: Observation, exported: Observations, results: dict[str, Result]) -> Restoration:
        image = exported.by_key.get(digests(observation))
        if image is None:
            raise SuiteError(f"this observation is none of those exported for {exported.label}: export again.")
        result = results.get(image.result)
        if result is None:
            raise SuiteError(f"no result for image '{image.name}': save it as {self.path / image.result}.npy.")
        if result.image is not None and result.draws:
            raise SuiteError(f"{result.image} has draws beside it ({result.draws[0].name}, …): keep one or the other.")
        f = observation.fidelity
        read = partial(_read, image=image, like=f)
        pixels = torch.stack([read(file) for file in result.images]).mean(dim=0)
        if result.phi is None and result.prior is None:
            return Restoration(pixels.to(f))
        if result.phi is None or result.prior is None:
            raise SuiteError(f"{result.phi or result.prior} is alone: φ and g of image '{image.name}' go together.")
        phi, g = read(result.phi, gray=True).to(f).expand_as(f), read(result.prior).to(f)
        rounding = max((0.5 / (2**depth - 1) for file in result.files if (depth := bits(file))), default=0.0)
        apart = float((pixels - fuse(f, g, phi)).abs().max())
        if apart > TOLERANCE + 2 * rounding:
            raise SuiteError(
                f"result '{result.images[0]}' differs by {apart:.3g} from (1 − φ) f + φ g of the files beside it, f "
                "being f(y): save the φ and g that it was made from, or take them away."
            )
        return Restoration(pixels.to(f), f, g, phi, Pixel())


def _read(path: Path, image: Exported, like: Tensor, gray: bool = False) -> Tensor:
    """Return a file as (1,C,H,W); C may be 1 where `like` (1,C,H,W) has 3 if it may be gray."""
    pixels = read_pixels(path)
    sides, channels = pixels.shape[1:], pixels.shape[0]
    if sides != like.shape[2:] or channels not in ((1, like.shape[1]) if gray else (like.shape[1],)):
        raise SuiteError(
            f"result '{path}' is {_size(pixels.shape)} and image '{image.name}' is {_size(like.shape[1:])}: save it in "
            "the size and channels of the image."
        )
    return pixels[None]


def _size(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width}×{height}, {'gray' if channels == 1 else 'colour'}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
