"""BF-DnCNN: the bias-free blind DnCNN for gray images, its authors' weights."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bigprior.checkpoints import check_shapes, plain
from bigprior.tiles import Network
from bigprior.weight_files import reading, size_of
from methods.supervised._bias_free import DEPTH, bias_free
from methods.supervised._chain import Chain
from methods.supervised._untold import Untold

EPSILON = 1e-5
NORMALISED = {"weight": (64,), "bias": (64,), "running_mean": (64,), "running_var": (64,), "num_batches_tracked": ()}
SHAPES: dict[str, tuple[int, ...]] = (
    {"first_layer.weight": (64, 1, 3, 3), "last_layer.weight": (1, 64, 3, 3)}
    | {f"hidden_layer_list.{k}.weight": (64, 64, 3, 3) for k in range(DEPTH - 2)}
    | {f"bn_layer_list.{k}.{name}": shape for k in range(DEPTH - 2) for name, shape in NORMALISED.items()}
)


@dataclass(frozen=True)
class BFDnCNN(Untold):
    """x̂ = y − F(y), F 20 convolutions of 64 channels without biases; one network for σ 0 to 100, never told σ.

    The normalisation neither subtracts nor adds: h ↦ γ h / (√v + 1e-5), v the variance in training. So
    F(a y) = a F(y) for a > 0.

    Source: S. Mohan, Z. Kadkhodaie, E. Simoncelli and C. Fernandez-Granda, "Robust and Interpretable Blind Image
    Denoising via Bias-Free Convolutional Neural Networks", ICLR 2020; weights `pretrained/dncnn/bias_free/0-100.pt` of
    github.com/LabForComputationalVision/bias_free_denoising.
    """

    name: ClassVar[str] = "bf-dncnn"
    summary: ClassVar[str] = "bias-free DnCNN, published weights for σ 0–100, never told σ; colour by channel"
    citation: ClassVar[str] = (
        "S. Mohan et al., Robust and interpretable blind image denoising via bias-free convolutional neural networks, "
        "ICLR 2020"
    )
    file: ClassVar[str] = "LabForComputationalVision-bias_free_denoising/pretrained/dncnn/bias_free/0-100.pt"
    channels: ClassVar[int] = 1
    radius: ClassVar[int] = DEPTH

    def network(self, dtype: torch.dtype, device: torch.device) -> Network:
        chain = _chain(self.weights_here(), dtype, device)

        def network(y: Tensor) -> Tensor:
            return y - chain(y)

        return network


def read_checkpoint(file: Path) -> dict[str, Tensor]:
    """Return the tensors of the network in a checkpoint of the authors' training program.

    Beside them the file holds the program's arguments as an `argparse.Namespace`, a class that only keeps what it is
    given; it is admitted while this file is read. Nothing else is, and nothing is executed.

    Raises:
        SuiteError: it is no such checkpoint.
    """
    with reading(file, "checkpoint of bias_free_denoising"), torch.serialization.safe_globals([Namespace]):
        size = size_of(file)
        found: Mapping[str, list[object]] = torch.load(file, map_location="cpu", weights_only=True)
        return plain(found["model"][0], size)


@cache
def _chain(file: Path, dtype: torch.dtype, device: torch.device) -> Chain:
    found = read_checkpoint(file)
    check_shapes(file, f"a gray BF-DnCNN of {DEPTH} layers", found, SHAPES)
    names = ["first_layer", *(f"hidden_layer_list.{k}" for k in range(DEPTH - 2)), "last_layer"]
    batch = [(found[f"bn_layer_list.{k}.weight"], found[f"bn_layer_list.{k}.running_var"]) for k in range(DEPTH - 2)]
    gains = [weight.double() / (variance.double().sqrt() + EPSILON) for weight, variance in batch]
    return bias_free([found[f"{name}.weight"] for name in names], gains, dtype, device)
