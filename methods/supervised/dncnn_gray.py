"""DnCNN for gray images and σ = 25, its authors' weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch

from bigprior.checkpoints import check_shapes, read_state_dict
from bigprior.fusion import Restoration
from bigprior.precision import computing
from bigprior.tiles import tiled
from datasets.observation import Observation
from datasets.task import Task
from methods.supervised._chain import Chain, chain_shapes
from methods.supervised._published import Published

SIGMA = 25
"""The noise level it was trained for, on the 0–255 scale."""
DEPTH = 17
SHAPES = chain_shapes([f"model.{2 * k}" for k in range(DEPTH)], (1, *[64] * (DEPTH - 1), 1))


@dataclass(frozen=True)
class DnCNNGray(Published):
    """x̂ = y − chain(y): 17 convolutions of 64 channels predict the noise (batch normalisation folded into them).

    It was trained for gray images and σ = 25 and cannot be told another: it supports no other task. `restore` itself
    applies it to what it is given, whatever σ is. On a colour image it works channel by channel, so it cannot use
    what the channels share.

    Source: K. Zhang, W. Zuo, Y. Chen, D. Meng and L. Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
    for Image Denoising", IEEE TIP 26(7), 2017; weights `dncnn_25.pth` of github.com/cszn/KAIR.
    """

    name: ClassVar[str] = "dncnn-gray-25"
    summary: ClassVar[str] = "DnCNN for σ 25, published weights; on colour channel by channel"
    citation: ClassVar[str] = (
        "K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE TIP 2017"
    )
    file: ClassVar[str] = "cszn-KAIR/model_zoo/dncnn_25.pth"

    def supports(self, task: Task) -> str | None:
        if task.problem in self.problems and task.parameters.get("sigma") != str(SIGMA):
            return f"trained for σ {SIGMA} alone and cannot be told another"
        return super().supports(task)

    def restore(self, observation: Observation) -> Restoration:
        y = observation.y
        planes = y.reshape(-1, 1, *y.shape[2:])
        network = _network(self.weights_here(), y.dtype, y.device)
        with computing(self.precision, y.device.type):
            image = tiled(lambda piece: piece - network(piece), planes, overlap=DEPTH)
        return Restoration(image.view_as(y))


@cache
def _network(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    parameters = read_state_dict(file)
    check_shapes(file, f"a gray DnCNN of {DEPTH} layers", parameters, SHAPES)
    return Chain.of(parameters, SHAPES, dtype, device)
