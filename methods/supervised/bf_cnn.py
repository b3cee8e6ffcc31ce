"""BF-CNN: the bias-free blind denoiser for colour images whose implicit prior its authors sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.checkpoints import check_shapes, read_state_dict
from bigprior.tiles import Network
from methods.supervised._bias_free import DEPTH, bias_free
from methods.supervised._chain import Chain
from methods.supervised._untold import Untold

SHAPES: dict[str, tuple[int, ...]] = {
    "conv_layers.0.weight": (64, 3, 3, 3),
    **{f"conv_layers.{k}.weight": (64, 64, 3, 3) for k in range(1, DEPTH - 1)},
    f"conv_layers.{DEPTH - 1}.weight": (3, 64, 3, 3),
    **{f"{name}.{k}": (1, 64, 1, 1) for name in ("running_sd", "gammas") for k in range(DEPTH - 2)},
}


@dataclass(frozen=True)
class BFCNN(Untold):
    """x̂ = y − F(y), F 20 convolutions of 64 channels without biases; one network for σ 0 to 100, never told σ.

    Between convolution and rectifier a channel is divided by its deviation in training and multiplied by a gain. So
    F(a y) = a F(y) for a > 0. y − x̂ = −σ² ∇ log p(y) to the extent that it is the least-squares estimate (Miyasawa),
    and that is how its authors sample from its prior.

    Source: Z. Kadkhodaie and E. Simoncelli, "Stochastic Solutions for Linear Inverse Problems using the Prior Implicit
    in a Denoiser", NeurIPS 2021; weights `BF_CNN/BSD300_color/noise_range_0to100` of
    github.com/LabForComputationalVision/universal_inverse_problem.
    """

    name: ClassVar[str] = "bf-cnn"
    summary: ClassVar[str] = "bias-free CNN, published weights for σ 0–100, never told σ; gray with its mirror images"
    citation: ClassVar[str] = (
        "Z. Kadkhodaie and E. Simoncelli, Stochastic solutions for linear inverse problems using the prior implicit in "
        "a denoiser, NeurIPS 2021"
    )
    file: ClassVar[str] = (
        "LabForComputationalVision-universal_inverse_problem/denoisers/BF_CNN/BSD300_color/noise_range_0to100/model.pt"
    )
    channels: ClassVar[int] = 3
    radius: ClassVar[int] = DEPTH

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        chain = _chain(self.weights_here(), dtype, device)

        def network(y: Tensor) -> Tensor:
            return y - chain(y)

        return network


@cache
def _chain(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    found = read_state_dict(file)
    check_shapes(file, f"a colour BF-CNN of {DEPTH} layers", found, SHAPES)
    gains = [found[f"gammas.{k}"].double() / found[f"running_sd.{k}"].double() for k in range(DEPTH - 2)]
    return bias_free([found[f"conv_layers.{k}.weight"] for k in range(DEPTH)], gains, dtype, device)
