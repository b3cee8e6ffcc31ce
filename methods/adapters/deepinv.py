"""Models of the library deepinv, as rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import torch
from torch import nn

from bigprior.fusion import Restoration
from datasets.errors import SuiteError, unknown
from datasets.observation import Observation
from datasets.operators import LUMA, Identity, Luma, Masking, Operator, by_operator
from datasets.task import Task
from methods.adapters.convention import Level
from methods.adapters.factory import build
from methods.adapters.files import of_module
from methods.adapters.own_network import Opened, OwnNetwork, Stamp, stamp
from methods.adapters.words import required
from methods.base import noise_level

EXTRA = "deepinv"


def _identity(observation: Observation) -> Any:
    return _deepinv().physics.Denoising()


def _masking(observation: Observation) -> Any:
    y = observation.y
    return _deepinv().physics.Inpainting(tuple(y.shape[1:]), mask=observation.mask.expand_as(y))


def _luma(observation: Observation) -> Any:
    # Its own "rec601" is rounded otherwise, by 4e-5.
    return _deepinv().physics.Decolorize(srf=LUMA)


PHYSICS: dict[type[Operator], Callable[[Observation], Any]] = {Identity: _identity, Masking: _masking, Luma: _luma}
"""Operator → deepinv's own."""


def physics_of(observation: Observation) -> Any:
    """Return the operator and the noise of an observation of one image as deepinv's `Physics`.

    Without noise its noise model is None; a σ that is hidden is estimated.

    Raises:
        SuiteError: deepinv is not installed.
        ValueError: an operator that is not in `PHYSICS`.
    """
    physics = by_operator(PHYSICS, observation.operator, "deepinv")(observation).to(observation.y.device)
    level = noise_level(observation)
    if (level > 0).any():
        physics.set_noise_model(_deepinv().physics.GaussianNoise(sigma=level))
    return physics


@dataclass(frozen=True, kw_only=True)
class DeepInv(OwnNetwork):
    """A model of deepinv: a denoiser gets f(y) and σ, a reconstructor gets y and the physics.

    A denoiser runs on every task, as any network of the user's; a reconstructor on denoising, inpainting and
    colorization, whose operators deepinv has as well.

    Args:
        model: name of a class of `deepinv.models`.
        file: weights of the model, safetensors or what `torch.save` wrote; none for a model that has no weights.
        args: of the class, such as "in_channels=1,out_channels=1".
        download: true to let deepinv load the weights that it offers over the network; they are not hashed.

    Source: J. Tachella et al., "DeepInverse: A Python package for solving imaging inverse problems with deep learning",
    2025, deepinv.github.io.
    """

    name: ClassVar[str] = "deepinv"
    summary: ClassVar[str] = "a denoiser or reconstructor of the library deepinv, with weights from a file"
    citation: ClassVar[str] = (
        "J. Tachella et al., DeepInverse: solving imaging inverse problems with deep learning, 2025"
    )

    model: str
    file: Path | None = None
    args: str = ""
    download: bool = False
    range: Literal["auto", "1", "255"] = "1"
    residual: bool | Literal["auto"] = False
    level: Literal["auto"] | Level = "number"

    def weights(self) -> tuple[Path, ...]:
        return () if self.file is None or not self.file.expanduser().is_file() else (self.file.expanduser(),)

    def opened(self) -> Opened:
        return of_module(self._built(), f"{self.model}({self.args}) of deepinv {_deepinv().__version__}")

    @property
    def reconstructs(self) -> bool:
        """True if the model is given y and the physics, False if it is a denoiser.

        Raises:
            SuiteError: deepinv is not installed, or has no such model.
        """
        return issubclass(self._class(), _deepinv().models.Reconstructor)

    def supports(self, task: Task) -> str | None:
        try:
            if not self.reconstructs:
                return super().supports(task)
            _reconstructor(self, stamp(self.weights()))
        except SuiteError as error:
            return str(error).rstrip(".")
        known = task.problem in self.problems
        return None if known else f"{self.model} needs the physics of {task.problem}, which is not handed to deepinv"

    def remarks(self) -> tuple[str, ...]:
        try:
            return () if self.reconstructs else super().remarks()
        except SuiteError as error:
            return (str(error).rstrip("."),)

    def restore(self, observation: Observation) -> Restoration:
        if not self.reconstructs:
            return super().restore(observation)
        call = _reconstructor(self, stamp(self.weights())).call
        each = [observation.select(number).to(observation.y.device) for number in range(len(observation))]
        return Restoration(torch.cat([call(one.y, physics_of(one)) for one in each]).to(observation.y))

    def _class(self) -> type[nn.Module]:
        library = _deepinv()
        kinds = library.models.Denoiser, library.models.Reconstructor
        named = {name: each for name, each in vars(library.models).items() if inspect.isclass(each)}
        models = {name: each for name, each in named.items() if issubclass(each, kinds) and each not in kinds}
        if self.model not in models:
            raise unknown("model of deepinv", self.model, models)
        return cast("type[nn.Module]", models[self.model])

    def _built(self) -> nn.Module:
        made = self._class()
        with_weights = "pretrained" in inspect.signature(made).parameters
        if with_weights and self.file is None and not self.download:
            raise SuiteError(f"{self.model} of deepinv has no weights: give file=, or download=true for its own.")
        chosen = {"pretrained": "download" if self.download else None} if with_weights else {}
        return build(self.model, partial(made, **chosen), self.args, self.file)


def _deepinv() -> Any:
    return required("deepinv", EXTRA, "a row of deepinv")


@cache
def _reconstructor(row: DeepInv, files: Stamp) -> Opened:
    return row.opened()
